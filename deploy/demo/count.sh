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

# Prints of each link between verified entries: from, relation, to, the entry through which, the handle; - for none.
read_links() {
    grep -o '{"by":"[^"]*","from":"[0-9.]*","rel":"[a-z_]*","through":[^,]*,"to":"[0-9.]*"}' "$work/verdicts.json" |
        sed 's/{"by":"\([^"]*\)","from":"\([0-9.]*\)","rel":"\([a-z_]*\)","through":\([^,]*\),"to":"\([0-9.]*\)"}/\2\t\3\t\5\t\4\t\1/; s/\tnull\t/\t-\t/; s/"//g' |
        sort -u
}

# member_of ID NAME: what the record of an entry says under a name of text, such as trace_id.
member_of() {
    sed 's/{"as_of_change":/\n&/g' "$work/verdicts.json" | grep -F "\"file\":\"./$1.cose\"" | grep -o "\"$2\":\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4
}

# linked KIND RELATION KIND: the links between entries of two kinds, as read_links prints them.
linked() {
    awk -F '\t' -v from="$1" -v rel="$2" -v to="$3" '
        NR == FNR { kind[$1] = $2; next }
        $2 == rel && kind[$1] == from && kind[$3] == to' "$work/verdicts" "$work/links"
}

# count_linked KIND RELATION KIND: how many entries of the first kind have at least one such link.
count_linked() { linked "$@" | cut -f 1 | sort -u | grep -c . || true; }

# follow ID RELATION KIND: the first entry of a kind that an entry is linked to.
follow() {
    awk -F '\t' -v id="$1" -v rel="$2" -v to="$3" '
        NR == FNR { kind[$1] = $2; next }
        $1 "" == id && $2 == rel && kind[$3] == to { print $3; exit }' "$work/verdicts" "$work/links"
}

# through ID RELATION ID: the entry through which two are linked, if there is one between.
through() { awk -F '\t' -v from="$1" -v rel="$2" -v to="$3" '$1 "" == from && $2 == rel && $3 "" == to && $4 != "-" { print $4; exit }' "$work/links"; }

# count_kind KIND [RESULT]: how many entries of a kind, or decisions with a result.
count_kind() {
    awk -F '\t' -v kind="$1" -v result="${2:-}" '$2 == kind && (result == "" || $3 == result) { n++ } END { print n + 0 }' "$work/verdicts"
}

# Prints how many events of a source became more than one decision.
count_twice() { awk -F '\t' '$2 == "decision" { print $4, $5 }' "$work/verdicts" | sort | uniq -d | grep -c . || true; }

# Prints the digest of the certificate of each decision that is joined to its issuance.
joined_certificates() { linked decision authenticated_by issuance | cut -f 1,5 | sort -u | sed 's/.*cert_s256 //'; }

# Prints the effect to look at: of a permit whose decision is joined to all that is behind it.
choose_operation() {
    awk -F '\t' '
        FILENAME == ARGV[1] { kind[$1] = $2; result[$1] = $3; next }
        { links[$1, $2, kind[$3]] = $3 }
        END {
            for (id in kind) {
                if (kind[id] != "effect") continue
                decision = links[id, "enforces", "decision"]
                issuance = links[decision, "authenticated_by", "issuance"]
                rank = 1 + (decision != "") + (issuance != "") + (links[issuance, "registered_as", "registration"] != "")
                rank = rank * 2 + (result[decision] == "permit")
                if (rank > best || (rank == best && id < chosen)) { best = rank; chosen = id }
            }
            print chosen
        }' "$work/verdicts" "$work/links"
}
