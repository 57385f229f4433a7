//! What becomes of an answer, in whichever of its forms it is had: JSON, as recorded, or protobuf.
//!
//! The members have the same names in both. How SPIFFE IDs, selectors and numbers are read is each form's own: functions `id`, `selectors` and
//! `count` beside its messages.

/// Makes an entry of a message; a number below 0 ends the function.
macro_rules! entry_of {
    ($raw:expr) => {{
        let raw = $raw;
        let entry = Entry {
            id: raw.id,
            revision: count("revision_number", raw.revision_number)?,
            subject: id(raw.spiffe_id),
            parent: id(raw.parent_id),
            selectors: selectors(raw.selectors),
            x509_ttl: count("x509_svid_ttl", raw.x509_svid_ttl)?,
            jwt_ttl: count("jwt_svid_ttl", raw.jwt_svid_ttl)?,
            admin: raw.admin,
            downstream: raw.downstream,
            store: raw.store_svid,
            federates_with: raw.federates_with,
            dns_names: raw.dns_names,
            expires_s: positive(raw.expires_at),
            created_s: positive(raw.created_at),
            hint: raw.hint,
            generation: 0,
        };
        entry.ordered()
    }};
}

/// Makes an agent of a message.
macro_rules! agent_of {
    ($raw:expr) => {{
        let raw = $raw;
        let agent = Agent {
            id: id(raw.id),
            method: raw.attestation_type,
            selectors: selectors(raw.selectors),
            banned: raw.banned,
            can_reattest: raw.can_reattest,
            generation: 0,
        };
        agent.ordered()
    }};
}

/// Makes the states of an authority of a message; one without an id is none.
macro_rules! states_of {
    ($raw:expr, $purpose:expr) => {{
        let raw = $raw;
        let states = [("active", raw.active), ("prepared", raw.prepared)].into_iter();
        let there = states.filter_map(|(op, state)| state.map(|state| (op, state)));
        let named = there.filter(|(_, state)| !state.authority_id.is_empty());
        let of = |(op, state): (&str, _)| {
            let State { authority_id, expires_at, upstream_authority_subject_key_id: upstream } = state;
            let (purpose, op) = ($purpose.to_owned(), op.to_owned());
            Authority { purpose, op, id: authority_id, expires_s: positive(expires_at), upstream }
        };
        named.map(of).collect()
    }};
}

pub(super) use {agent_of, entry_of, states_of};
