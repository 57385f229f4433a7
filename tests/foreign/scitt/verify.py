"""Judges what a log of ours made with scitt-cose, a published SCITT verifier, and writes down what it refuses.

    verify.py ENTRIES KEYS SCITT_KEYS VECTORS MUTATED

ENTRIES: a folder of transparent statements of ours (<id>.cose). KEYS: a folder of the issuers' public keys (SPKI PEM). SCITT_KEYS: what
the log serves under /.well-known/scitt-keys. VECTORS: test-vectors of scitt-cose's source archive. What is spoilt here and refused goes to
the folder MUTATED, and the bad vectors with it, for our own verifier to refuse as well.

scitt-cose judges signatures, receipts and proofs. Taken apart here with cbor2 is only what it has no function for: a set of COSE keys, and
the entry of a transparent statement, which is the statement with an empty unprotected header.
"""

import json
import sys
from pathlib import Path

import cbor2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from scitt_cose import attach_receipts, extract_receipts, parse_signed_statement, verify_receipt

KID, RECEIPTS, VDS, VDP, CHECKPOINT, TAG = 4, 394, 395, 396, "govlog.checkpoint", 18


def main(entries, keys, scitt_keys, vectors, mutated):
    issuers = [path.read_bytes() for path in sorted(keys.glob("*.pub"))]
    log_keys = key_set(scitt_keys.read_bytes())
    spoilt = 0
    files = sorted(entries.glob("*.cose"))
    assert len(files) > 2, f"{entries} holds no entries"
    for path in files:
        transparent = path.read_bytes()
        assert accepts(transparent, issuers, log_keys), f"{path.name} is refused"
        spoilt += refuse_spoilt(path.stem, transparent, issuers, log_keys, mutated)
    print(f"entries    {len(files)} transparent statements accepted under {len(log_keys)} receipt keys, {spoilt} spoilt ones refused")
    print(f"vectors    {bad_vectors(vectors, mutated)} of the bad ones handed on")


def key_set(data):
    """Reads the COSE keys that the log serves; by key id, as PEM."""
    found = {}
    for key in cbor2.loads(data):
        assert (key[1], key[3], key[-1]) == (2, -7, 1), f"{key} is not for ES256"
        numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(key[-2], "big"), int.from_bytes(key[-3], "big"), ec.SECP256R1())
        form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        found[key[2]] = numbers.public_key().public_bytes(*form)
    return found


def accepts(transparent, issuers, log_keys):
    """Says whether an issuer signed the statement and the log each receipt, for this very entry."""
    try:
        verified = [key for key in issuers if parse_signed_statement(transparent, public_key_pem=key)["signature_verified"]]
        receipts = extract_receipts(transparent)
        entry = without_receipts(transparent)
        kids = [cbor2.loads(cbor2.loads(receipt).value[0]).get(KID) for receipt in receipts]
    except Exception:  # noqa: BLE001 - bytes that cannot be read are refused
        return False
    pairs = [(receipt, log_keys.get(kid)) for receipt, kid in zip(receipts, kids, strict=True)]
    return bool(verified and receipts) and all(
        key and verify_receipt(receipt, leaf_entry_hex=entry.hex(), log_public_key_pem=key).ok for receipt, key in pairs
    )


def without_receipts(transparent):
    """Gives the entry; the parts are put together again byte for byte."""
    protected, _, payload, signature = cbor2.loads(transparent).value
    return cbor2.dumps(cbor2.CBORTag(TAG, [protected, {}, payload, signature]))


def refuse_spoilt(name, transparent, issuers, log_keys, mutated):
    count = 0
    for what, spoilt in variants(transparent):
        assert spoilt != transparent, f"{name}: {what} changes nothing"
        assert not accepts(spoilt, issuers, log_keys), f"{name}: as good with {what}"
        (mutated / f"{name}-{what}.cose").write_bytes(spoilt)
        count += 1
    return count


def variants(transparent):
    """Spoils what is covered: each byte of a signature or so, every part, and what the published bad vectors are made of."""
    protected, unprotected, payload, signature = cbor2.loads(transparent).value
    receipt = unprotected[RECEIPTS][0]

    def statement(protected=protected, payload=payload, signature=signature, receipts=(receipt,)):
        return cbor2.dumps(cbor2.CBORTag(TAG, [protected, {RECEIPTS: list(receipts)}, payload, signature]))

    for part, value in (("protected", protected), ("payload", payload), ("signature", signature)):
        for at in {0, len(value) // 3, len(value) // 2, len(value) - 1}:
            yield f"{part}-{at}", statement(**{part: flipped(value, at)})
    yield "cut-off", transparent[:-1]
    yield "followed", transparent + b"\x00"
    for what, spoilt in receipt_variants(receipt):
        yield f"receipt-{what}", statement(receipts=[spoilt])


def receipt_variants(receipt):
    protected, unprotected, payload, signature = cbor2.loads(receipt).value
    assert payload is None
    blob = unprotected[VDP][-1][0]
    size, index, path = cbor2.loads(blob)

    def made(protected=protected, proof=(size, index, path), payload=None, signature=signature):
        proofs = {-1: [cbor2.dumps([proof[0], proof[1], list(proof[2])])]}
        header = {VDP: proofs, CHECKPOINT: unprotected[CHECKPOINT]}
        return cbor2.dumps(cbor2.CBORTag(TAG, [protected, header, payload, signature]))

    assert made() == receipt, "put together again it is another receipt"
    header = cbor2.loads(protected)
    yield "signature", made(signature=flipped(signature, 5))
    yield "iat", made(protected=cbor2.dumps(header | {15: header[15] | {6: header[15][6] + 1}}))
    yield "vds", made(protected=cbor2.dumps(header | {VDS: 2}))
    yield "alg", made(protected=cbor2.dumps(header | {1: -36}))
    yield "payload", made(payload=b"\x00" * 32)
    yield "size-zero", made(proof=(0, 0, []))
    yield "index-beyond", made(proof=(size, size, path))
    for level in range(len(path)):
        spoilt = [flipped(node, level) if at == level else node for at, node in enumerate(path)]
        yield f"path-{level}", made(proof=(size, index, spoilt))
    yield "path-longer", made(proof=(size, index, [*path, path[0]]))
    yield "path-shorter", made(proof=(size, index, path[:-1]))


def flipped(value, at):
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


def bad_vectors(vectors, mutated):
    """Makes transparent statements of the published vectors with statement and receipt, and hands the lone receipts on as they are."""
    count = 0
    for folder, manifest, bad in (("v1", "manifest.json", {"INVALID"}), ("receipt-v1", "receipt-v1/manifest.json", {False})):
        for vector in json.loads((vectors / manifest).read_text())["vectors"]:
            if vector.get("expected_result", vector.get("ok")) not in bad:
                continue
            source = vectors / vector["dir"]
            receipt = (source / "receipt.cose").read_bytes()
            target = mutated / f"vector-{folder}-{vector['id']}"
            target.with_suffix(".receipt.cose").write_bytes(receipt)
            if (source / "statement.cose").exists():
                transparent = attach_receipts((source / "statement.cose").read_bytes(), [receipt])
                target.with_suffix(".cose").write_bytes(transparent)
            count += 1
    assert count >= 15, f"{count} bad vectors only"
    return count


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
