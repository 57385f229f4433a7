"""Holds our own verdicts against what they must be: refused.py VERDICTS.json, as `govlog verify --json` writes it."""

import collections
import json
import sys

verdicts = json.load(sys.stdin)["verdicts"]
accepted = [verdict["file"] for verdict in verdicts if verdict["verdict"] not in ("refuted", "cannot-evaluate")]
for file in accepted:
    print(f"FAILED: refused by the stranger, and accepted by us: {file}", file=sys.stderr)
words = collections.Counter(verdict["verdict"] for verdict in verdicts)
print("ours       " + ", ".join(f"{count} {word}" for word, count in sorted(words.items())))
sys.exit(bool(accepted) or not verdicts)
