#!/bin/sh -e
# Starts the official image's NiFi, with a fresh certificate where the one it made for itself has less than a month left.
#
# NiFi signs for 60 days and makes a new certificate only when it finds neither stores nor passwords. An expired one
# would keep the flow from being deployed. Runs in NiFi's home; NIFI_START is the image's own start.

if [ -n "$(find conf -name keystore.p12 -mtime +30)" ]; then
    echo "NiFi's certificate is more than 30 days old: it makes a new one"
    rm -f conf/keystore.p12 conf/truststore.p12
    sed -i -E 's/^(nifi\.security\.(keystorePasswd|keyPasswd|truststorePasswd)=).*/\1/' conf/nifi.properties
fi
exec "${NIFI_START:-../scripts/start.sh}"
