//! The row of a trust domain: its workloads may be a thousand, and what is counted is the row.

use govlog_formats::admission::{Credentials, IssuerRow};
use govlog_tls::testing::Authority;

use super::*;

const DOMAIN: &str = "spiffe://example.org";

/// The policy of a log that admits every workload under an authority, so many statements a second.
fn admits(authority: &Authority, per_second: u64) -> PolicyState {
    let credentials = Credentials::X509(vec![authority.der()]);
    let rate = NonZeroU64::new(per_second);
    policy_with(1, vec![IssuerRow { iss: DOMAIN.to_owned(), credentials, rate, ..row() }])
}

/// A statement of one of the workloads, signed with its certificate.
fn by_workload(authority: &Authority, name: &str, number: u64) -> SignedStatement {
    let iss = format!("{DOMAIN}/{name}");
    let svid = authority.svid(&iss);
    let mut header = header(number);
    header.claims.iss = iss;
    let key = SigningKey::from_pkcs8_pem(&svid.key_pem).unwrap();
    SignedStatement::sign_x509(&header, PAYLOAD, &key, &[svid.der]).unwrap()
}

#[tokio::test]
async fn a_domain_has_one_rate_and_not_one_for_each_of_its_workloads() {
    let authority = Authority::of_trust_domain("example.org");
    let door = door(admits(&authority, 3), empty_store());
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

#[test]
fn what_a_workload_does_counts_against_its_domains_row() {
    let authority = Authority::of_trust_domain("example.org");
    let policy = admits(&authority, 3);
    for name in ["a", "b"] {
        assert_eq!(policy.counted_by(&by_workload(&authority, name, 1)), DOMAIN);
    }
    // Whom no row admits counts as himself, and so does an operator.
    let foreign = statement_with(1, |header| header.claims.iss = "spiffe://other.example/pep".to_owned());
    assert_eq!(policy.counted_by(&foreign), "spiffe://other.example/pep");
    assert_eq!(policy.counted_by(&genesis()), policy.operator_iss());
}
