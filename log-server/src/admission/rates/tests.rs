//! What a row's bucket lets in and when, whose share of it is how much while others come and go, and that what is kept of names is bounded.

use super::*;

fn rate(row: &str, per_second: u64) -> RowRate {
    RowRate { row: row.to_owned(), per_second: NonZeroU64::new(per_second).unwrap() }
}

fn taken(rates: &Rates, row: &str, per_second: u64, now: Instant, tries: usize) -> usize {
    (0..tries).filter(|_| rates.take(&rate(row, per_second), row, now).is_ok()).count()
}

#[test]
fn a_burst_is_one_seconds_worth() {
    let now = Instant::now();
    for per_second in [1, 3, 100] {
        let rates = Rates::default();
        let most = usize::try_from(per_second).unwrap();
        assert_eq!(taken(&rates, "a", per_second, now, most + 5), most);
    }
}

#[test]
fn tokens_come_back_at_the_rate_and_no_faster() {
    let (rates, start) = (Rates::default(), Instant::now());
    assert_eq!(taken(&rates, "a", 10, start, 20), 10);
    assert_eq!(taken(&rates, "a", 10, start + Duration::from_millis(99), 5), 0);
    assert_eq!(taken(&rates, "a", 10, start + Duration::from_millis(100), 5), 1);
    assert_eq!(taken(&rates, "a", 10, start + Duration::from_millis(350), 5), 2);
    assert_eq!(taken(&rates, "a", 10, start + Duration::from_secs(3600), 50), 10);
}

#[test]
fn one_rows_rate_is_not_anothers() {
    let (rates, now) = (Rates::default(), Instant::now());
    assert_eq!(taken(&rates, "a", 2, now, 5), 2);
    assert_eq!(taken(&rates, "b", 2, now, 5), 2);
}

#[test]
fn a_refusal_says_when_to_come_back() {
    let (rates, now) = (Rates::default(), Instant::now());
    rates.take(&rate("a", 1), "a", now).unwrap();
    let refusal = rates.take(&rate("a", 1), "a", now).unwrap_err();
    assert_eq!(
        refusal,
        Refusal::TooManyRequests { limit: RateLimit::Row { row: "a".to_owned(), per_second: 1 }, retry_after_s: 1 }
    );
    rates.take(&rate("a", 1), "a", now + Duration::from_secs(1)).unwrap();
}

#[test]
fn a_lower_rate_counts_at_once() {
    let (rates, now) = (Rates::default(), Instant::now());
    rates.take(&rate("a", 100), "a", now).unwrap();
    assert_eq!(taken(&rates, "a", 2, now, 10), 2);
}

#[test]
fn a_clock_that_stands_still_or_goes_back_gives_nothing() {
    let (rates, now) = (Rates::default(), Instant::now() + Duration::from_secs(10));
    assert_eq!(taken(&rates, "a", 2, now, 5), 2);
    assert_eq!(taken(&rates, "a", 2, now - Duration::from_secs(5), 5), 0);
    assert_eq!(taken(&rates, "a", 2, now, 5), 0);
}

#[test]
fn an_operator_approves_sixty_times_an_hour_and_the_refusal_says_when_to_come_back() {
    let (rates, start, kid) = (Rates::default(), Instant::now(), Digest::sha256(b"a"));
    let taken = |kid: &Digest, now| (0..100).filter(|_| rates.take_approval(kid, now).is_ok()).count();
    assert_eq!(taken(&kid, start), 60);
    assert_eq!(taken(&Digest::sha256(b"b"), start), 60, "another operator's is another's");
    let refusal = rates.take_approval(&kid, start + Duration::from_secs(15)).unwrap_err();
    let limit = RateLimit::Approvals { kid, per_hour: 60 };
    assert_eq!(refusal, Refusal::TooManyRequests { limit, retry_after_s: 45 });
    assert_eq!(taken(&kid, start + Duration::from_secs(60)), 1);
    assert_eq!(taken(&kid, start + Duration::from_secs(100_000)), 60);
}

#[test]
fn full_buckets_are_swept() {
    let (rates, now) = (Rates::default(), Instant::now());
    for number in 0..SWEEP_LEAST {
        let iss = format!("iss-{number}");
        rates.take(&rate(&iss, 1), &iss, now).unwrap();
    }
    rates.take(&rate("late", 1), "late", now + Duration::from_secs(2)).unwrap();
    assert_eq!(rates.rows.lock().unwrap().rows.by_name.len(), 1);
}

const DOMAIN: &str = "spiffe://prod.example";

/// How many of so many tries of a workload its domain's row lets in, and what the last was told.
fn by(rates: &Rates, iss: &str, per_second: u64, now: Instant, tries: usize) -> (usize, Option<RateLimit>) {
    let (mut count, mut told) = (0, None);
    for _ in 0..tries {
        match rates.take(&rate(DOMAIN, per_second), iss, now) {
            Ok(()) => count += 1,
            Err(Refusal::TooManyRequests { limit, .. }) => told = Some(limit),
            Err(other) => panic!("{other}"),
        }
    }
    (count, told)
}

#[test]
fn a_workload_has_all_of_its_domains_rate_while_no_other_needs_it_and_half_while_another_waits() {
    let (rates, start) = (Rates::default(), Instant::now());
    let at = |ms: u64| start + Duration::from_millis(ms);
    let (row, share) = (
        Some(RateLimit::Row { row: DOMAIN.to_owned(), per_second: 10 }),
        Some(RateLimit::Share { row: DOMAIN.to_owned(), iss: "rogue".to_owned(), per_second: 10 }),
    );
    assert_eq!(by(&rates, "rogue", 10, start, 20), (10, row.clone()));
    assert_eq!(by(&rates, "rogue", 10, at(1_000), 20), (10, row.clone()), "nobody else needs it");
    assert_eq!(by(&rates, "other", 10, at(1_000), 1), (0, row), "it is told to come again");
    // From then on the rogue one leaves something over, however often it tries.
    let (mut rogue, mut other) = (0, 0);
    for tenth in 1..=50 {
        let (count, told) = by(&rates, "rogue", 10, at(1_000 + tenth * 100), 20);
        assert_eq!(told, share);
        rogue += count;
        other += by(&rates, "other", 10, at(1_000 + tenth * 100), usize::from(tenth % 3 == 0)).0;
    }
    assert_eq!(
        (rogue, other),
        (29, 16),
        "all that the other wanted, and of the rest what is more than half a second's"
    );
    assert_eq!(by(&rates, "rogue", 10, at(16_000), 20).0, 10, "and all of it when the other had what it wanted");
}

#[test]
fn the_others_share_one_half_and_an_issuer_with_a_row_of_its_own_has_all_of_it() {
    let (rates, start) = (Rates::default(), Instant::now());
    assert_eq!(by(&rates, "rogue", 1, start, 3).0, 1);
    assert_eq!(by(&rates, "other", 1, start, 1).0, 0);
    let later = start + Duration::from_secs(1);
    assert_eq!(by(&rates, "rogue", 1, later, 3).0, 0, "of one in a second half is one in two");
    assert_eq!(by(&rates, "other", 1, later, 1).0, 1);
    let alone = taken(&rates, "alone", 10, start, 20) + taken(&rates, "alone", 10, later, 20);
    assert_eq!((alone, rates.rows.lock().unwrap().shares.by_name.len()), (20, 2));
}

/// Of 12 in a second a half is 3 in half a second, and a third is 2. Whoever is refused within its share makes the others keep to theirs.
#[test]
fn a_share_is_cut_at_once_when_another_comes() {
    let (rates, start) = (Rates::default(), Instant::now());
    let at = |ms: u64| start + Duration::from_millis(ms);
    assert_eq!(by(&rates, "bulk", 12, start, 20).0, 12);
    assert_eq!(by(&rates, "small", 12, start, 1).0, 0);
    assert_eq!(by(&rates, "bulk", 12, at(500), 20).0, 3, "half of what came");
    assert_eq!(by(&rates, "new", 12, at(500), 20).0, 3, "what is left");
    assert_eq!(by(&rates, "bulk", 12, at(1_000), 20).0, 2, "a third");
}

#[test]
fn a_share_grows_at_once_when_another_was_not_seen_for_a_while_and_not_beyond_one_window() {
    let (rates, start) = (Rates::default(), Instant::now());
    let at = |ms: u64| start + Duration::from_millis(ms);
    assert_eq!(by(&rates, "leaving", 12, start, 1).0, 1);
    assert_eq!(by(&rates, "bulk", 12, at(5_000), 20).0, 12);
    assert_eq!(by(&rates, "small", 12, at(5_000), 1).0, 0);
    assert_eq!(by(&rates, "bulk", 12, at(5_500), 20).0, 2, "a third of what came");
    assert_eq!(by(&rates, "bulk", 12, at(9_800), 20).0, 6, "what is more than half");
    assert_eq!(by(&rates, "small", 12, at(9_800), 20).0, 6, "all the rest");
    assert_eq!(by(&rates, "bulk", 12, at(10_300), 20).0, 3, "half, of what came before the other was forgotten too");
    assert_eq!(by(&rates, "bulk", 12, at(14_000), 20).0, 6, "half of a second's");
}

/// How many of their tries are let in within so many tenths of a second; each comes so often every so many tenths, in this order.
fn together(rates: &Rates, per_second: u64, tenths: usize, come: &[(String, usize, usize)]) -> Vec<usize> {
    let (start, mut counts) = (Instant::now(), vec![0; come.len()]);
    for tenth in 0..tenths {
        let now = start + Duration::from_millis(tenth as u64 * 100);
        for (at, (iss, tries, every)) in come.iter().enumerate() {
            if tenth % every == at % every {
                counts[at] += by(rates, iss, per_second, now, *tries).0;
            }
        }
    }
    counts
}

#[test]
fn several_who_take_all_they_can_get_leave_the_others_theirs() {
    for rogues in 1..MOST_LAST {
        let rogue = |number| (format!("rogue-{number}"), 8, 1);
        let mut come: Vec<_> = (0..rogues).map(rogue).collect();
        come.push(("small".to_owned(), 1, 5));
        let counts = together(&Rates::default(), 40, 1_000, &come);
        let (small, all) = (counts[rogues], counts.iter().sum::<usize>());
        assert!(small >= 180, "{small} of its 200 beside {rogues}: {counts:?}");
        assert!(all >= 3_950, "{all} of 4,000 beside {rogues}: nothing is wasted");
    }
}

#[test]
fn what_many_small_ones_leave_over_is_had_by_one_who_has_much() {
    let mut come = vec![("bulk".to_owned(), 8, 1)];
    come.extend((0..10).map(|number| (format!("small-{number}"), 1, 10)));
    let counts = together(&Rates::default(), 40, 1_000, &come);
    let (bulk, small) = (counts[0], &counts[1..]);
    assert!(small.iter().all(|count| *count >= 85), "each of its 100: {small:?}");
    assert!(small.iter().sum::<usize>() >= 950, "{small:?}");
    assert!(bulk >= 2_950, "{bulk} of the 3,000 that they leave over");
}

#[test]
fn who_came_is_forgotten_after_a_while_and_for_those_who_came_later() {
    let (mut last, start) = (Last::default(), Instant::now());
    for number in 0..MOST_LAST + 2 {
        last.note(&format!("w-{number}"), start);
        last.note("w-0", start);
    }
    assert_eq!((last.0.len(), last.others("w-0", start), last.others("new", start)), (8, 7, 8));
    assert!(last.0.iter().all(|(who, _)| !["w-1", "w-2"].contains(&who.as_str())));
    assert_eq!((last.others("new", start + LATELY), last.others("w-0", start + LATELY)), (0, 0));
}

#[test]
fn shares_are_as_many_as_were_let_in_of_late() {
    let (rates, start) = (Rates::default(), Instant::now());
    for number in 0..20 * SWEEP_LEAST {
        let now = start + Duration::from_millis(number as u64 * 10);
        by(&rates, &format!("w-{number}"), 1_000, now, 1);
        rates.take(&rate(&format!("row-{number}"), 1), "first", now).unwrap();
        rates.take(&rate(&format!("row-{number}"), 1), "second", now).unwrap_err();
    }
    let rows = rates.rows.lock().unwrap();
    assert!(rows.shares.by_name.len() <= 2 * SWEEP_LEAST, "{}", rows.shares.by_name.len());
    assert!(rows.rows.by_name.len() <= 2 * SWEEP_LEAST, "{}", rows.rows.by_name.len());
}

#[test]
fn the_greatest_rate_does_not_overflow() {
    let (rates, now) = (Rates::default(), Instant::now());
    assert_eq!(taken(&rates, "a", u64::MAX, now, 1000), 1000);
    assert_eq!(taken(&rates, "a", u64::MAX, now + Duration::from_secs(1 << 40), 1000), 1000);
}
