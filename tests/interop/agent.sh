# The agent beside SPIRE, OPA and Envoy: sourced, not run.
#
# Expects: work, bin, log, iss, domain, uid, ingest, bundle_port, start, address, fail. Gives: agent_uid, start_agent, admin, http_get.
# shellcheck shell=bash disable=SC2034,SC2154 # what is expected and given is named above

agent_uid=61505

# SPIRE tells the agent by its user; what SPIRE's server and Envoy write it reads by its group.
as_agent=(setpriv --reuid "$agent_uid" --regid 0 --clear-groups)

# http_get URL PATH: the admin address speaks TLS as the other one does.
http_get() {
    curl -sf --cacert "$work/workloads/opa/bundle.0.pem" "https://localhost:${1##*:}$2" || fail "$1$2 gave no answer"
}

agent_config() {
    cat <<TOML
iss = "$iss"
log = "$log"
listen = "127.0.0.1:$ingest"
admin = "127.0.0.1:0"

# Its own certificate, and whom it believes, come from SPIRE.
[tls]
spiffe = "unix://$work/spire/agent/api.sock"

[access]
submit = "spiffe://$domain/opa"

[openings]
recipients = ["$(cat "$work/openings.key.pub")"]

# Every decision an entry, so that each call can be looked for in the log itself.
[capture]
batch = "none"

[sending]
retry_max_ms = 1000

[[opa]]
prefix = "/ingest/opa/v1"
enforcement = "enforced"
xfcc_from = ["spiffe://$domain/pep/envoy"]

[[opa.bundle]]
name = "authz"
url = "http://127.0.0.1:$bundle_port/authz.tar.gz"
key = "$work/bundle.pub.pem"
poll_s = 1

[[opa.mapping]]
path = "ledger/authz"
subject = "/input/subject/id"
subject_type = "/input/subject/type"
action = "/input/action/name"
resource = "/input/resource/id"
resource_type = "/input/resource/type"
decision = "/result/allow"
reasons = "/result/reasons"

[[spire]]
name = "spire-server-0"
trust_domain = "$domain"
log = "$work/spire/server.log"
socket = "$work/spire/server/api.sock"
poll_s = 1

$(for workload in "${!uid[@]}"; do printf '[[credentials]]\nname = "%s"\nfolder = "%s"\n\n' "$workload" "$work/workloads/$workload"; done)

[[envoy]]
name = "edge"
node = "envoy-interop"
log = "$work/envoy/access.jsonl"
performer = "spiffe://$domain/pep/envoy"
TOML
}

start_agent() {
    agent_config >"$work/agent/agent.toml"
    chown -R "$agent_uid" "$work/agent"
    "${as_agent[@]}" "$bin/govlog-agent" check --config "$work/agent/agent.toml" >"$work/checked" || fail "$(cat "$work/checked")"
    start agent "${as_agent[@]}" "$bin/govlog-agent" run --config "$work/agent/agent.toml"
    address agent >"$work/ingest"
    admin=$(address agent 'admin on')
}
