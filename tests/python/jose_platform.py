"""A platform with a JOSE library of its own: it serves its public keys, and signs what it is told to.

Prints its port. Each line on standard input is a JSON list: ["publish", KID…] serves these keys and answers null, ["away"] has the address
answer 503, ["sign", ALG, KID, CLAIMS] answers a token, ["asked"] how often the address was asked. KID begins with the kind of the key:
rsa, ec or ed.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

keys = {}
state = {"published": [], "away": False, "asked": 0}


def key(kid):
    if kid not in keys:
        parameters = {"kid": kid, "use": "sig"}
        if kid.startswith("rsa"):
            keys[kid] = RSAKey.generate_key(2048, parameters)
        elif kid.startswith("ec"):
            keys[kid] = ECKey.generate_key("P-256", parameters)
        else:
            keys[kid] = OKPKey.generate_key("Ed25519", parameters)
    return keys[kid]


class Keys(BaseHTTPRequestHandler):
    def do_GET(self):
        state["asked"] += 1
        body = json.dumps({"keys": [key(kid).as_dict(private=False) for kid in state["published"]]}).encode()
        self.send_response(503 if state["away"] else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
for line in sys.stdin:
    command, *rest = json.loads(line)
    answer = None
    if command == "publish":
        state["published"], state["away"] = rest, False
        for kid in rest:
            key(kid)
    elif command == "away":
        state["away"] = True
    elif command == "asked":
        answer = state["asked"]
    elif command == "sign":
        alg, kid, claims = rest
        answer = jwt.encode({"alg": alg, "kid": kid}, claims, key(kid), algorithms=[alg])
    print(json.dumps(answer), flush=True)
