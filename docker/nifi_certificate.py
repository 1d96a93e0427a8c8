"""Writes the certificate that a NiFi made for itself as a PEM file, for those who are to trust exactly that one.

    python docker/nifi_certificate.py CONF TARGET

The official image signs its own certificate at its first start and keeps it in CONF/truststore.p12, with the password
in CONF/nifi.properties. Java's keytool opens it.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

PEM = re.compile(r"-----BEGIN CERTIFICATE-----\n.+?-----END CERTIFICATE-----\n", re.DOTALL)


def certificates(conf: Path) -> str:
    """All certificates of the truststore, as PEM. Exits when there is none."""
    properties = dict(
        line.strip().split("=", 1) for line in (conf / "nifi.properties").read_text().splitlines() if "=" in line
    )
    store = conf / Path(properties["nifi.security.truststore"]).name
    listed = subprocess.run(
        ["keytool", "-list", "-rfc", "-keystore", str(store), "-storepass:env", "STORE_PASSWORD"],
        env={**os.environ, "STORE_PASSWORD": properties["nifi.security.truststorePasswd"]},
        capture_output=True,
        text=True,
        check=False,
    )
    found = PEM.findall(listed.stdout)
    if listed.returncode or not found:
        sys.exit(f"no certificate in {store}: {(listed.stdout + listed.stderr).strip()}")
    return "".join(found)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(certificates(Path(sys.argv[1])))
