# Counts what a log holds, from its entries alone: sourced, not run.
#
# Expects: govlog, work, log, fail. Everything below reads what `govlog verify` printed of entries that it verified.
# shellcheck shell=bash disable=SC2034,SC2154 # what is expected and given is named above

# fetch_and_verify SIZE: fetches all entries of a log of that size, and verifies each offline.
fetch_and_verify() {
    "$govlog" get --log "$log" "1.0..1.$(($1 - 1))" --out "$work/entries" >"$work/fetched"
    (cd "$work/entries" && "$govlog" verify --json --trust "$work/trust" ./*.cose) >"$work/verdicts.json" ||
        fail "an entry does not verify: $(grep -o '"because":"[^"]*"' "$work/verdicts.json" | head -n 3)"
    read_verdicts >"$work/verdicts"
    read_links >"$work/links"
    [ "$(grep -c . "$work/verdicts")" -eq "$1" ] || fail "the log has $1 entries, $(grep -c . "$work/verdicts") were verified"
}

# Prints of each verified entry: id, kind, result, source's instance, decision id, resource; tabs between, - for what it has not.
#
# A quote within text is escaped in JSON, so that what is looked for stands in no text.
read_verdicts() {
    sed 's/{"as_of_change":/\n&/g' "$work/verdicts.json" | LC_ALL=C awk -v OFS='\t' '
        function member(name,    found) {
            if (!match($0, "\"" name "\":\"([^\"\\\\]|\\\\.)*\"")) return "-"
            found = substr($0, RSTART + length(name) + 4, RLENGTH - length(name) - 5)
            return found == "" ? "-" : found
        }
        /^\{"as_of_change":/ && /"verdict":"verified"/ {
            print member("file"), member("kind"), member("result"), member("instance"), member("decision_id"), member("resource")
        }' | sed 's|^\./||; s/\.cose\t/\t/'
}

# Prints of each link to the issuance of a certificate: the decision's id, the issuance's id, the digest.
read_links() {
    grep -o '{"by":"cert_s256 [0-9a-f]*","from":"[0-9.]*","rel":"authenticated_by","through":[^,]*,"to":"[0-9.]*"}' "$work/verdicts.json" |
        sed 's/.*cert_s256 \([0-9a-f]*\)","from":"\([0-9.]*\)".*"to":"\([0-9.]*\)".*/\2\t\3\t\1/' | sort -u |
        LC_ALL=C awk -F '\t' 'NR == FNR { kind[$1] = $2; next } kind[$1] == "decision" && kind[$2] == "issuance"' "$work/verdicts" - || true
}

# count_kind KIND [RESULT]: how many entries of a kind, or decisions with a result.
count_kind() {
    awk -F '\t' -v kind="$1" -v result="${2:-}" '$2 == kind && (result == "" || $3 == result) { n++ } END { print n + 0 }' "$work/verdicts"
}

# Prints how many events of a source became more than one decision.
count_twice() { awk -F '\t' '$2 == "decision" { print $4, $5 }' "$work/verdicts" | sort | uniq -d | grep -c . || true; }

# Prints how many decisions are joined to the issuance of the certificate they were made under.
count_joined() { cut -f 1 "$work/links" | sort -u | grep -c . || true; }

# Prints id, issuance and digest of the decision to look at: joined and permitted, if there is one.
choose_operation() {
    awk -F '\t' '
        NR == FNR { to[$1] = $2 FS $3; next }
        $2 == "decision" { rank = ($1 in to ? 2 : 0) + ($3 == "permit") + 1 }
        $2 == "decision" && rank > best { best = rank; chosen = $1 FS to[$1] }
        END { print chosen }' "$work/links" "$work/verdicts"
}
