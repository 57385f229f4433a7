# What is in a capture of OPA's uploads and of certificates: sourced, not run.
#
#   opa/uploads/NNNN-<group>-{logs,status}.body   the bodies as OPA sent them, by order of arrival
#   opa/uploads/NNNN-<group>-{logs,status}.json   method, path (/<group>/v1/logs), headers
#   opa/authz-r{1,2}.tar.gz, opa/bundle-signer.pub.pem   the signed policies, and who signs them
#   spire/*.pem                                   the certificates as issued
#   spire/server.log, spire/*.json                the SPIRE server's log, and what its interfaces answered
#   envoy/access.jsonl, envoy/envoy.yaml          Envoy's access log and configuration
#
# Expects: capture (its folder), fail.
# shellcheck shell=bash disable=SC2034,SC2154 # what is expected and given is named above

# Prints the names of all uploads without their ending, in order of arrival.
uploads() {
    (cd "$capture/opa/uploads" 2>/dev/null && printf '%s\n' *.json) | sed -n 's/\.json$//p' | sort -n
}

# described NAME: its .json on one line.
described() {
    tr '\n' ' ' <"$capture/opa/uploads/$1.json"
    echo
}

# upload_path NAME: the path it came on.
upload_path() {
    described "$1" | sed -n 's/.*"path": *"\([^"]*\)".*/\1/p'
}

# upload_group NAME: whose instances it came from; the first part of its path.
upload_group() {
    upload_path "$1" | sed -n 's|^/\([A-Za-z0-9._-]*\)/.*|\1|p'
}

# upload_headers NAME: a header to a line, each as it came.
upload_headers() {
    described "$1" | sed -n '
        s/.*"headers": *{\([^}]*\)}.*/\1/
        t found
        d
        :found
        s/^ *"//
        s/" *$//
        s/" *: *"/: /g
        s/" *, *"/\n/g
        s/\\\(["\\/]\)/\1/g
        p'
}

# unpacked NAME: its body as JSON.
unpacked() {
    if upload_headers "$1" | grep -qi '^content-encoding: *gzip$'; then
        gzip -dc "$capture/opa/uploads/$1.body"
    else
        cat "$capture/opa/uploads/$1.body"
    fi
}

# count_events NAME: how many elements the array in its body has; a body that is no array is one input.
#
# Text is cut out first, so that every bracket and comma that is left is JSON's own.
count_events() {
    unpacked "$1" 2>/dev/null | LC_ALL=C sed 's/\\.//g; s/"[^"]*"/s/g' | LC_ALL=C tr -d ' \t\r\n' | LC_ALL=C awk '
        {
            gsub(/[^][{},]+/, "v")
            if (substr($0, 1, 1) != "[") exit
            for (at = 1; at <= length($0); at++) {
                c = substr($0, at, 1)
                if (c == "[" || c == "{") depth++
                if (c == "]" || c == "}") depth--
                if (c == "," && depth == 1) commas++
            }
            elements = $0 == "[]" ? 0 : commas + 1
            whole = 1
        }
        END { print whole ? elements : 1 }' || true
}

# Prints the names of the proxies in front of OPA, as its events have them.
proxies() {
    local name
    while read -r name; do unpacked "$name"; done < <(uploads | grep -e '-logs$') |
        LC_ALL=C grep -ao 'By=[^;,"\\]*' | sed 's/^By=//' | sort -u || true
}

# der FILE.pem: the certificate's bytes; of several in one file the first one's.
der() { sed -n '/^-----BEGIN CERTIFICATE/,/^-----END CERTIFICATE/ { /^-----END/q; /^-----/d; p; }' "$1" | base64 -d; }
cert_s256() { der "$1" | sha256sum | cut -d ' ' -f 1; }

# Prints the files with a workload's certificate; an authority's has a SPIFFE ID without a path, and nobody was issued it here.
certificates() {
    local pem
    for pem in "$capture"/spire/*.pem; do
        if der "$pem" 2>/dev/null | LC_ALL=C grep -aq 'spiffe://[a-z0-9._-]*/'; then printf '%s\n' "$pem"; fi
    done
}

# certificate_of DIGEST: the name of the file whose certificate has that SHA-256.
certificate_of() {
    local pem
    while read -r pem; do
        if [ "$(cert_s256 "$pem")" = "$1" ]; then basename "$pem"; fi
    done < <(certificates) | head -n 1
}

# Prints the trust domains of the certificates' SPIFFE IDs.
trust_domains() {
    local pem
    while read -r pem; do
        der "$pem" | LC_ALL=C grep -ao 'spiffe://[a-z0-9._-]*/' | cut -d / -f 3
    done < <(certificates) | sort -u
}

# envoy_node: the node.id of the Envoy that wrote the access log.
envoy_node() { sed -n 's/^node: *{ *id: *\([^,} ]*\).*/\1/p' "$capture/envoy/envoy.yaml"; }

check_capture() {
    local name
    [ -n "$(uploads)" ] || fail "$capture/opa/uploads has no uploads"
    [ -n "$(certificates)" ] || fail "$capture/spire has no certificate of a workload"
    while read -r name; do
        [ -r "$capture/opa/uploads/$name.body" ] || fail "$capture/opa/uploads/$name.body is missing"
        [ -n "$(upload_group "$name")" ] || fail "$capture/opa/uploads/$name.json: no path such as /a/v1/logs"
        upload_headers "$name" | grep -qi '^content-length:' || fail "$capture/opa/uploads/$name.json: no Content-Length in its headers"
    done < <(uploads)
}
