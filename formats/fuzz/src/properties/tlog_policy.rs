//! Policies: which logs and witnesses are believed, and how many.

use govlog_formats::limits::{MAX_POLICY_GROUPS, MAX_POLICY_LOGS, MAX_POLICY_WITNESSES};
use govlog_formats::tlog_policy::Policy;

use super::world;

pub(super) fn check(data: &[u8]) -> bool {
    let Ok(policy) = Policy::parse(data) else { return false };
    assert_eq!(Policy::parse(&policy.to_bytes()).as_ref(), Ok(&policy), "another policy once written");
    assert!(policy.logs().len() <= MAX_POLICY_LOGS && policy.witnesses().len() <= MAX_POLICY_WITNESSES);
    assert!(policy.groups().len() <= MAX_POLICY_GROUPS);
    assert!(policy.satisfied_by(|_| true), "a quorum that nobody can reach");
    assert_eq!(policy.satisfied_by(|_| false), policy.quorum().is_none(), "a quorum of nobody");
    // More cosignatures never make a quorum of one into none.
    let half = |witness: &govlog_formats::tlog_policy::Witness| witness.vkey().id().as_bytes()[0].is_multiple_of(2);
    let quarter = |witness: &_| half(witness) && witness.vkey().id().as_bytes()[1] % 2 == 0;
    assert!(!policy.satisfied_by(quarter) || policy.satisfied_by(half));
    assert_eq!(policy.judge_quorum(half).met(), policy.satisfied_by(half));
    let _ = policy.check_portable();
    if let Ok(verified) = policy.verify_checkpoint(&super::note::cosigned().to_bytes()) {
        // Which of the two is larger hangs on the quorum: they bound different things.
        let times = [verified.lower_time(), verified.upper_time()];
        let met = verified.quorum().met() && verified.quorum().required();
        assert!(times.iter().all(|time| time.is_some() == met));
        assert!(times.iter().flatten().all(|time| verified.cosigned().iter().any(|one| one.timestamp == *time)));
        assert_eq!(verified.log(), world::log_signer().vkey());
    }
    true
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let log = world::log_signer().vkey().to_string();
    let [one, two, three] = [1, 2, 3].map(|number| world::witness(number).vkey().to_string());
    let witnesses = format!("witness w1 {one}\nwitness w2 {two} https://w2.example/add\nwitness w3 {three}\n");
    let policies = [
        format!("log {log}\nquorum none\n"),
        format!("# comment\n\nlog {log} https://log.example/\nwitness w1 {one}\nquorum w1\n"),
        format!("log {log}\n{witnesses}group pair any w1 w2\ngroup two 2 pair w3\nquorum two\n"),
    ];
    policies.map(String::into_bytes).to_vec()
}
