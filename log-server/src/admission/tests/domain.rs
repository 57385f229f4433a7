//! The row of a trust domain: its workloads may be a thousand, and what is counted is the row.

use govlog_tls::testing::Authority;

use super::*;

#[tokio::test]
async fn a_domain_has_one_rate_and_not_one_for_each_of_its_workloads() {
    let authority = Authority::of_trust_domain("example.org");
    let door = door(admits_domain(&authority, 3), empty_store());
    let statements: Vec<_> = (0..6).map(|number| by_workload(&authority, &format!("w{number}"), number)).collect();
    let answers = door.submit_all(&statements).await;
    assert!(answers[..3].iter().all(Result::is_ok), "{answers:?}");
    for answer in &answers[3..] {
        let Err(refusal) = answer else { panic!("admitted over the rate") };
        let row = RateLimit::Row { row: DOMAIN.to_owned(), per_second: 3 };
        assert!(matches!(refusal, Refusal::TooManyRequests { limit, .. } if *limit == row), "{refusal}");
        assert!(refusal.to_string().contains("row for \"spiffe://example.org\""), "{refusal}");
    }
}

#[tokio::test]
async fn a_workload_that_used_up_its_domains_rate_leaves_half_of_it_to_those_who_wait() {
    let authority = Authority::of_trust_domain("example.org");
    let door = door(admits_domain(&authority, 2), empty_store());
    let by = |name, number| by_workload(&authority, name, number);
    let answers = door.submit_all(&[by("rogue", 0), by("rogue", 1), by("other", 0), by("rogue", 2)]).await;
    assert!(answers[..2].iter().all(Result::is_ok), "{answers:?}");
    let said = |answer: &Result<Outcome, Refusal>| answer.as_ref().unwrap_err().to_string();
    assert!(said(&answers[2]).contains("row for \"spiffe://example.org\" has used up"), "{}", said(&answers[2]));
    assert!(said(&answers[3]).contains("/rogue has used up its share"), "{}", said(&answers[3]));
}

#[test]
fn what_a_workload_does_counts_against_its_domains_row() {
    let authority = Authority::of_trust_domain("example.org");
    let policy = admits_domain(&authority, 3);
    for name in ["a", "b"] {
        assert_eq!(policy.counted_by(&by_workload(&authority, name, 1)), DOMAIN);
    }
    // Whom no row admits counts as himself, and so does an operator.
    let foreign = statement_with(1, |header| header.claims.iss = "spiffe://other.example/pep".to_owned());
    assert_eq!(policy.counted_by(&foreign), "spiffe://other.example/pep");
    assert_eq!(policy.counted_by(&genesis()), policy.operator_iss());
}
