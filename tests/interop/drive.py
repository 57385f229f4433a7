"""A workload that asks: calls OPA through Envoy over mutual TLS, and writes a line for each call.

    drive.py WORKLOAD FOLDER PORT COUNT CALLS

FOLDER holds svid.0.pem, svid.0.key and bundle.0.pem as `spire-agent api fetch x509 -write` left them. To CALLS it appends: workload, what was
asked, the request id, the HTTP status, and SHA-256 of the certificate that was shown.
"""

import hashlib
import http.client
import json
import ssl
import sys
import uuid

ASKED = [
    ("read", {"action": {"name": "read"}, "context": {"session_token": "s-1"}}),
    ("post-low", {"action": {"name": "post"}, "context": {"amount": 100}}),
    ("post-between", {"action": {"name": "post"}, "context": {"amount": 700}}),
    ("post-high", {"action": {"name": "post"}, "context": {"amount": 5000}}),
    ("undefined", {"action": {"name": "unheard-of"}, "context": {}}),
]


def main() -> None:
    workload, folder, port, count, calls = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    context = ssl.create_default_context(cafile=f"{folder}/bundle.0.pem")
    context.check_hostname = False  # An X.509-SVID has a URI, no host name; the URI is checked below.
    context.load_cert_chain(f"{folder}/svid.0.pem", f"{folder}/svid.0.key")
    with open(f"{folder}/svid.0.pem") as pem:
        leaf = pem.read().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    shown = hashlib.sha256(ssl.PEM_cert_to_DER_cert(leaf)).hexdigest()
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    connection.connect()
    names = connection.sock.getpeercert()["subjectAltName"]
    if ("URI", "spiffe://prod.example/pep/envoy") not in names:
        sys.exit(f"that is not the proxy: {names}")
    with open(calls, "a") as out:
        for at in range(count):
            asked, question = ASKED[at % len(ASKED)]
            question = {
                **question,
                "subject": {"type": "workload", "id": f"spiffe://prod.example/{workload}"},
                "resource": {"type": "account", "id": f"acct-{at % 7}"},
            }
            request = str(uuid.uuid4())
            headers = {
                "content-type": "application/json",
                "x-request-id": request,
                "traceparent": f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01",
            }
            connection.request("POST", "/v1/data/ledger/authz/decision", json.dumps({"input": question}), headers)
            answer = connection.getresponse()
            answer.read()
            out.write("\t".join([workload, asked, request, str(answer.status), shown]) + "\n")
            out.flush()


main()
