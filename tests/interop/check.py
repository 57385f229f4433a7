"""Holds what was asked against what the log has: check.py CALLS VERDICTS

CALLS is what drive.py wrote, VERDICTS what `govlog verify --json` printed of every entry of the log. Nothing that a party says of itself is
looked at: only entries that were verified offline, and the links between them.
"""

import collections
import json
import sys

RESULTS = {
    "read": {"r1": "permit", "r2": "permit"},
    "post-low": {"r1": "permit", "r2": "permit"},
    "post-between": {"r1": "permit", "r2": "deny"},
    "post-high": {"r1": "deny", "r2": "deny"},
    "undefined": {"r1": "not-evaluated", "r2": "not-evaluated"},
}


def main() -> None:
    with open(sys.argv[1]) as lines:
        calls = [line.rstrip("\n").split("\t") for line in lines]
    with open(sys.argv[2]) as text:
        found = json.load(text)
    wrong = [verdict for verdict in found["verdicts"] if verdict["verdict"] != "verified"]
    entries = {verdict["id"]: verdict for verdict in found["verdicts"] if "record" in verdict}
    links = collections.defaultdict(list)
    for link in found["links"]:
        if link["to"] in entries:
            links[link["from"], link["rel"], entries[link["to"]]["kind"]].append(link["to"])
    problems = [f"{verdict['file']} does not verify" for verdict in wrong]
    problems += judge_calls(calls, entries, links)
    problems += judge_rest(entries)
    kinds = collections.Counter(entry["kind"] for entry in entries.values())
    print("entries by kind: " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    for problem in problems[:40]:
        print("PROBLEM " + problem)
    if problems:
        sys.exit(f"{len(problems)} problems")
    print(f"{len(calls)} calls: each has one effect, one decision, its issuance, registration and policy, and nothing is there twice")


def judge_calls(calls, entries, links):
    problems = []
    by_request = collections.defaultdict(list)
    for number, entry in entries.items():
        if "request_id" in entry["record"]:
            by_request[entry["kind"], entry["record"]["request_id"]].append(number)
    for workload, asked, request, status, shown in calls:
        subject = f"spiffe://prod.example/{workload}"

        def one(what, ids, request=request):
            if len(ids) != 1:
                problems.append(f"call {request} ({workload}, {asked}): {len(ids)} of {what}: {' '.join(ids[:3])}")
            return ids[0] if ids else None

        if status != "200":
            problems.append(f"call {request} was answered {status}")
        effect = one("effect", by_request["effect", request])
        decision = one("decision", by_request["decision", request])
        if not effect or not decision:
            continue
        if links[effect, "enforces", "decision"] != [decision]:
            problems.append(f"effect {effect} does not enforce decision {decision}")
        record = entries[decision]["record"]
        if record["subject"]["id"] != subject or record["subject"].get("credential", {}).get("handle") != ["cert_s256", shown]:
            problems.append(f"decision {decision} is of another subject or certificate: {record['subject']}")
        policy = one("policy", links[decision, "governed_by", "policy"])
        if policy and record["result"] != RESULTS[asked][entries[policy]["record"]["revision"]]:
            problems.append(f"decision {decision}: {asked} is {record['result']} under {entries[policy]['record']['revision']}")
        if not links[decision, "governed_by", "activation"]:
            problems.append(f"decision {decision}: its policy was never activated")
        issuance = one("issuance", links[decision, "authenticated_by", "issuance"])
        registration = issuance and links[issuance, "registered_as", "registration"]
        for number in [issuance, *(registration or [])]:
            if number and entries[number]["record"].get("subject") != subject:
                problems.append(f"{entries[number]['kind']} {number} is of another subject than {decision}")
        if issuance and not registration:
            problems.append(f"issuance {issuance} has no registration")
    for kind in ("effect", "decision"):
        known = sum(len(by_request[kind, request]) for _, _, request, _, _ in calls)
        there = sum(1 for entry in entries.values() if entry["kind"] == kind)
        if known != there:
            problems.append(f"{there} entries of kind {kind}, {known} of them belong to calls")
    return problems


def judge_rest(entries):
    problems = []

    def records(kind, **wanted):
        of_kind = [entry["record"] for entry in entries.values() if entry["kind"] == kind]
        return [record for record in of_kind if all(record.get(key) == value for key, value in wanted.items())]

    natives = collections.Counter(
        (entry["kind"], json.dumps(entry["record"]["source"], sort_keys=True))
        for entry in entries.values()
        if "native_id" in entry["record"].get("source", {})
    )
    problems += [f"{count} entries of one event: {native}" for native, count in natives.items() if count > 1]
    expected = [
        ("policy r1", records("policy", revision="r1"), 1),
        ("policy r2", records("policy", revision="r2"), 1),
        ("activation of r2", records("activation", op="activate", revision="r2"), 2),
        ("issuance to pay, rotated once", records("issuance", subject="spiffe://prod.example/pay"), 2),
        ("attestation of the node", records("attestation", method="join_token"), 1),
    ]
    problems += [f"{len(found)} of {what}, expected at least {least}" for what, found, least in expected if len(found) < least]
    if not records("registration", op="delete"):
        problems.append("no registration says that the entry was deleted")
    for kind in ("quarantine", "gap", "finding"):
        problems += [f"a {kind}: {json.dumps(record)[:200]}" for record in records(kind)]
    return problems


main()
