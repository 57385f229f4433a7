# The agent beside SPIRE, OPA and Envoy: sourced, not run.
#
# Expects: work, bin, log, iss, domain, uid, ingest, bundle_port, start, address. Gives: start_agent, admin.
# shellcheck shell=bash disable=SC2034,SC2154 # what is expected and given is named above

agent_config() {
    cat <<TOML
iss = "$iss"
log = "$log"
listen = "127.0.0.1:$ingest"
admin = "127.0.0.1:0"

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
    "$bin/govlog-agent" check --config "$work/agent/agent.toml" >"$work/checked" || fail "$(cat "$work/checked")"
    start agent "$bin/govlog-agent" run --config "$work/agent/agent.toml"
    address agent >"$work/ingest"
    admin=$(address agent 'admin on')
}
