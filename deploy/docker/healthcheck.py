"""Ask this container's service whether it does its work: `python healthcheck.py CDC_PORT`.

The argument is the setting that has its port. It ends with 1 where the service does not, or does not say so.
"""

import http.client
import os
import sys

if __name__ == "__main__":
    service = http.client.HTTPConnection("127.0.0.1", int(os.environ[sys.argv[1]]), timeout=4)
    try:
        service.request("GET", "/readyz")
        answer = service.getresponse()
        said = answer.read().decode()
    except OSError as error:
        sys.exit(f"{sys.argv[1]}: {error}")
    sys.stdout.write(said + "\n")
    sys.exit(answer.status != http.HTTPStatus.OK)
