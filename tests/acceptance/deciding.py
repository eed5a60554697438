"""A reviewer as a process of its own: for each line on standard input, approves one request and prints the answer."""

import json
import sys

import httpx


def main() -> None:
    url, key = sys.argv[1:]
    with httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=30) as client:
        client.get("/ok")
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for line in sys.stdin:
            request = json.loads(line)
            body = {"type": "approve", "action_digest": request["action_digest"]}
            reply = client.post(f"/approvals/{request['request_id']}/decision", json=body)
            sys.stdout.write(json.dumps({"status": reply.status_code, **reply.json()}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
