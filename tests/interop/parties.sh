# Starts SPIRE, two OPAs and Envoy on loopback, each as its own documentation says: sourced, not run.
#
# Expects: work, tools (the folder of their programs), here, start, fail. Gives: the functions below, and the ports they took.
# shellcheck shell=bash disable=SC2034,SC2154 # what is expected and given is named above

domain=prod.example
# Workloads are told apart by user; these exist for nothing else.
declare -A uid=([pay]=61501 [ledger]=61502 [agentbot]=61503 [opa]=61504)

# free_ports COUNT: ports that nobody listens on now, in one line.
free_ports() {
    python3 -c '
import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])' "$1"
}

# until_true SECONDS WHAT COMMAND...: tries until it succeeds; fails after so long.
until_true() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >"$work/tried" 2>&1; do
        [ "$SECONDS" -lt "$end" ] || fail "$what: $(tail -n 3 "$work/tried")"
        sleep 0.2
    done
}

spire() { "$tools/spire-server" "$@" -socketPath "$work/spire/server/api.sock"; }

start_spire() {
    local token
    mkdir -p "$work"/spire/{server,agent}
    cat >"$work/spire/server.conf" <<HCL
server {
  bind_address = "127.0.0.1"
  bind_port = "$spire_port"
  socket_path = "$work/spire/server/api.sock"
  trust_domain = "$domain"
  data_dir = "$work/spire/server"
  log_file = "$work/spire/server.log"
  log_level = "DEBUG"
  log_format = "json"
  audit_log_enabled = true
}
plugins {
  DataStore "sql" { plugin_data { database_type = "sqlite3", connection_string = "$work/spire/server/datastore.sqlite3" } }
  KeyManager "disk" { plugin_data { keys_path = "$work/spire/server/keys.json" } }
  NodeAttestor "join_token" { plugin_data {} }
}
HCL
    start spire-server "$tools/spire-server" run -config "$work/spire/server.conf"
    until_true 60 "spire-server does not answer" spire healthcheck
    spire bundle show >"$work/spire/bootstrap.pem"
    token=$(spire token generate -spiffeID "spiffe://$domain/node/n1" | sed -n 's/^Token: //p')
    cat >"$work/spire/agent.conf" <<HCL
agent {
  data_dir = "$work/spire/agent"
  log_file = "$work/spire/agent.log"
  log_level = "DEBUG"
  server_address = "127.0.0.1"
  server_port = "$spire_port"
  socket_path = "$work/spire/agent/api.sock"
  trust_bundle_path = "$work/spire/bootstrap.pem"
  trust_domain = "$domain"
}
plugins {
  KeyManager "disk" { plugin_data { directory = "$work/spire/agent" } }
  NodeAttestor "join_token" { plugin_data {} }
  WorkloadAttestor "unix" { plugin_data { discover_workload_path = true } }
}
HCL
    start spire-agent "$tools/spire-agent" run -config "$work/spire/agent.conf" -joinToken "$token"
    until_true 60 "spire-agent does not answer" "$tools/spire-agent" healthcheck -socketPath "$work/spire/agent/api.sock"
    chmod 0755 "$work" "$work/spire" "$work/spire/agent"
    chmod 0777 "$work/spire/agent/api.sock"
}

# register PATH UID [OPTION...]: makes an entry, and keeps its id in $work/entry-<last part of the path>.
register() {
    local path=$1 user=$2
    shift 2
    spire entry create -parentID "spiffe://$domain/node/n1" -spiffeID "spiffe://$domain/$path" -selector "unix:uid:$user" "$@" -output json |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["results"][0]["entry"]["id"])' >"$work/entry-${path##*/}"
}

# fetch_svid WORKLOAD: the workload asks for its X.509-SVID, as its own user.
fetch_svid() {
    local dir=$work/workloads/$1
    mkdir -p "$dir"
    chown "${uid[$1]}" "$dir"
    setpriv --reuid "${uid[$1]}" --regid "${uid[$1]}" --clear-groups \
        "$tools/spire-agent" api fetch x509 -socketPath "$work/spire/agent/api.sock" -write "$dir"
}

# A workload's serial number, to see that it was rotated.
serial_of() { openssl x509 -in "$work/workloads/$1/svid.0.pem" -noout -serial; }
has_another_serial() { fetch_svid "$1" && [ "$(serial_of "$1")" != "$2" ]; }

make_bundle_key() {
    openssl ecparam -genkey -name prime256v1 -noout -out "$work/bundle.key" 2>/dev/null
    openssl ec -in "$work/bundle.key" -pubout -out "$work/bundle.pub.pem" 2>/dev/null
}

# publish_policy REVISION LIMIT: signs a bundle and puts it where the OPAs and the agent fetch it from.
publish_policy() {
    rm -rf "$work/policy"
    cp -r "$here/policy" "$work/policy"
    printf '{"limits": {"post": %d}}\n' "$2" >"$work/policy/data.json"
    "$tools/opa" build -b "$work/policy" -r "$1" --signing-key "$work/bundle.key" --signing-alg ES256 -o "$work/bundle.new"
    mv "$work/bundle.new" "$work/bundles/authz.tar.gz"
}

# start_opa NAME PORT INGEST: it shows the X.509-SVID of `opa` to the agent, and believes the agent's by the trust domain's bundle.
start_opa() {
    cat >"$work/opa-$1.yaml" <<YAML
services:
  govlog:
    url: "$3"
    response_header_timeout_seconds: 10
    credentials: { client_tls: { cert: "$work/workloads/opa/svid.0.pem", private_key: "$work/workloads/opa/svid.0.key", cert_reread_interval_seconds: 5 } }
    tls: { ca_cert: "$work/workloads/opa/bundle.0.pem", system_ca_required: false }
  policies: { url: "http://127.0.0.1:$bundle_port" }
labels: { app: ledger, region: "eu-$1" }
nd_builtin_cache: true
decision_logs:
  service: govlog
  resource: /logs
  reporting: { trigger: periodic, min_delay_seconds: 1, max_delay_seconds: 2, buffer_type: event, buffer_size_limit_events: 100000, upload_size_limit_bytes: 262144 }
  request_context: { http: { headers: ["traceparent", "x-request-id", "x-forwarded-client-cert"] } }
status: { service: govlog }
bundles: { authz: { service: policies, resource: authz.tar.gz, polling: { min_delay_seconds: 1, max_delay_seconds: 2 }, signing: { keyid: policy-signer } } }
keys: { policy-signer: { algorithm: ES256, key: $(python3 -c 'import json, sys; print(json.dumps(open(sys.argv[1]).read()))' "$work/bundle.pub.pem") } }
YAML
    start "opa-$1" "$tools/opa" run --server --addr "127.0.0.1:$2" -c "$work/opa-$1.yaml" --log-level error
}

# has_revision PORT REVISION
has_revision() { curl -sf "http://127.0.0.1:$1/v1/status" | grep -q "\"active_revision\":\"$2\""; }

start_envoy() {
    local sds="resource_api_version: V3, api_config_source: { api_type: GRPC, transport_api_version: V3, grpc_services: [ { envoy_grpc: { cluster_name: spire } } ] }"
    mkdir -p "$work/envoy"
    sed -e "s|@WORK@|$work|g; s|@ENVOY@|$envoy_port|g; s|@ADMIN@|$envoy_admin|g; s|@OPA_A@|$opa_a|g; s|@OPA_B@|$opa_b|g; s|@DOMAIN@|$domain|g" \
        -e "s|@SDS@|$sds|g" "$here/envoy.yaml" >"$work/envoy.yaml"
    start envoy "$tools/envoy" -c "$work/envoy.yaml" --disable-hot-restart --file-flush-interval-msec 200 --log-level warning
    until_true 60 "envoy does not listen" curl -sf "http://127.0.0.1:$envoy_admin/ready"
}
