//! The kind `decision`: what a policy decided.

use ciborium::Value;

use super::body::{Body, Recorded};
use super::link::{Handle, LinkTarget, SchemeDigest};
use super::names::names;
use crate::digest::Digest;

names! {
    /// What was decided.
    DecisionResult {
        /// The operation may go on.
        Permit = "permit",
        /// It may not.
        Deny = "deny",
        /// The evaluation failed.
        Error = "error",
        /// There was none: no policy applied, or none was asked.
        NotEvaluated = "not-evaluated",
    }
}

names! {
    /// What the enforcement point made of the decision.
    Enforcement {
        /// The operation went the way of the decision.
        Enforced = "enforced",
        /// The decision was asked for to see what it would be.
        DryRun = "dry-run",
        /// Another policy was in force beside it.
        Shadow = "shadow",
        /// The operation went on because the decision, or its logging, could not be had.
        FailOpen = "fail-open",
    }
}

names! {
    /// What of the operation `op_digest` binds.
    OpBound {
        /// All of it.
        Full = "full",
        /// All but the content.
        NoBody = "no-body",
        /// Nothing.
        None = "none",
    }
}

/// A `decision` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision(pub(super) Body);

/// A policy that took part in a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRef {
    /// The policy's digest.
    pub policy_digest: Option<SchemeDigest>,
    /// The digest of the bundle it came in.
    pub bundle_digest: Option<SchemeDigest>,
    /// Its name.
    pub name: Option<String>,
    /// Its revision, as its publisher calls it.
    pub revision: Option<String>,
}

impl Decision {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// The decision's id, unique for its PDP.
    #[must_use]
    pub fn decision_id(&self) -> Recorded<&str> {
        self.0.text(&["decision_id"])
    }

    /// Who asked.
    #[must_use]
    pub fn subject_id(&self) -> Recorded<&str> {
        self.0.text(&["subject", "id"])
    }

    /// What kind of subject asked.
    #[must_use]
    pub fn subject_type(&self) -> Recorded<&str> {
        self.0.text(&["subject", "type"])
    }

    /// To do what.
    #[must_use]
    pub fn action_name(&self) -> Recorded<&str> {
        self.0.text(&["action", "name"])
    }

    /// To what kind of resource.
    #[must_use]
    pub fn resource_type(&self) -> Recorded<&str> {
        self.0.text(&["resource", "type"])
    }

    /// To which resource.
    #[must_use]
    pub fn resource_id(&self) -> Recorded<&str> {
        self.0.text(&["resource", "id"])
    }

    /// What was decided.
    #[must_use]
    pub fn result(&self) -> Recorded<DecisionResult> {
        self.0.text(&["result"]).and_then(DecisionResult::from_name)
    }

    /// What the enforcement point made of it.
    #[must_use]
    pub fn enforcement(&self) -> Recorded<Enforcement> {
        self.0.text(&["enforcement"]).and_then(Enforcement::from_name)
    }

    /// The handle of the credential the subject presented: joins its issuance.
    #[must_use]
    pub fn credential(&self) -> Recorded<Handle> {
        self.0.handle(&["subject", "credential", "handle"])
    }

    /// The operation as both ends see it.
    #[must_use]
    pub fn op_digest(&self) -> Recorded<Digest> {
        self.0.digest(&["op_digest"])
    }

    /// What of the operation [`Self::op_digest`] binds.
    #[must_use]
    pub fn op_bound(&self) -> Recorded<OpBound> {
        self.0.text(&["op_bound"]).and_then(OpBound::from_name)
    }

    /// The delegation the subject acted under.
    #[must_use]
    pub fn delegation(&self) -> Recorded<LinkTarget> {
        self.0.link_target(&["delegation"])
    }

    /// What the engine was asked: the source's exact bytes.
    #[must_use]
    pub fn input(&self) -> Recorded<&[u8]> {
        self.0.bytes(&["input"])
    }

    /// What functions gave the engine that give another result another time: the source's exact bytes.
    #[must_use]
    pub fn nd_cache(&self) -> Recorded<&[u8]> {
        self.0.bytes(&["nd_cache"])
    }

    /// What the engine answered: the source's exact bytes.
    #[must_use]
    pub fn output(&self) -> Recorded<&[u8]> {
        self.0.bytes(&["output"])
    }

    /// Why the engine could not decide: the source's exact bytes.
    #[must_use]
    pub fn error(&self) -> Recorded<&[u8]> {
        self.0.bytes(&["error"])
    }

    /// JSON pointers of what the source left out. Sealed if any of them is.
    #[must_use]
    pub fn erased(&self) -> Recorded<Vec<&str>> {
        self.0.texts(&["erased"])
    }

    /// JSON pointers of what the source replaced. Sealed if any of them is.
    #[must_use]
    pub fn masked(&self) -> Recorded<Vec<&str>> {
        self.0.texts(&["masked"])
    }

    /// The source's other members of the event: a JSON object of their exact bytes.
    #[must_use]
    pub fn native(&self) -> Recorded<&[u8]> {
        self.0.bytes(&["native"])
    }

    /// The policies that decided. Sealed ones, and sealed fields, are left out.
    #[must_use]
    pub fn policies(&self) -> Vec<PolicyRef> {
        PolicyRef::list(&self.0.at(&["policies"]))
    }
}

impl PolicyRef {
    /// Reads a list of them. Sealed ones, and sealed fields, are left out.
    pub(super) fn list(policies: &Recorded<&Value>) -> Vec<Self> {
        let Recorded::Present(Value::Array(policies)) = policies else { return Vec::new() };
        policies.iter().filter_map(Self::from_value).collect()
    }

    fn from_value(value: &Value) -> Option<Self> {
        let policy = Body::of_checked(value.as_map()?.clone());
        Some(Self {
            policy_digest: policy.scheme_digest(&["policy_digest"]).present(),
            bundle_digest: policy.scheme_digest(&["bundle_digest"]).present(),
            name: policy.text(&["name"]).present().map(str::to_owned),
            revision: policy.text(&["revision"]).present().map(str::to_owned),
        })
    }
}
