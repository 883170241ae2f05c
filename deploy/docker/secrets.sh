#!/bin/sh
# Make every secret of docker-compose.yml in a folder, and the URLs that hold them, each once: what is there stays as it is.
# Usage: secrets.sh FOLDER
#
# A file comes into being whole or not at all, so a run that was killed is finished by the next one. Files with a
# setting's name are for our own services (TWIN_SECRETS) and only their user's to read; a server's are for this user's
# group, too, which the servers are in.
set -eu
umask 077
folder=$1
if ! touch "$folder/.new" 2>/dev/null; then
    echo "secrets: user $(id -u) cannot write into $folder; give it to that user, or remove the volume, so that it is made anew" >&2
    exit 1
fi

# put MODE NAME: keep the standard input, unless the file is there.
put() {
    [ ! -e "$folder/$2" ] || return 0
    rm -f "$folder/.new"
    cat > "$folder/.new"
    chmod "$1" "$folder/.new"
    sync "$folder/.new"
    mv "$folder/.new" "$folder/$2"
}
ours() { put 0400 "$1"; }
servers() { put 0440 "$1"; }
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
of() { cat "$folder/$1"; }

random | servers MONGODB_KEY
random | servers MONGODB_ROOT_PASSWORD
random | servers MONGODB_PASSWORD
random | ours RABBITMQ_PASSWORD
random | servers QDRANT_API_KEY
random | servers GRAFANA_ADMIN_PASSWORD
random | ours RAG_API_KEY
random | ours CRAWLER_KEY
of RAG_API_KEY | ours TWIN_API_KEY

printf 'default_user = twin\ndefault_pass = %s\n' "$(of RABBITMQ_PASSWORD)" | servers rabbitmq.conf
printf 'service:\n  api_key: "%s"\n' "$(of QDRANT_API_KEY)" | servers qdrant.yaml

# Three members are named where there is one, too: those that are not there are passed over.
documents="mongodb://twin:$(of MONGODB_PASSWORD)@mongodb:27017,mongodb-2:27017,mongodb-3:27017/twin?replicaSet=rs0&authSource=admin"
log="amqp://twin:$(of RABBITMQ_PASSWORD)@rabbitmq:5672/%2F"
features="http://:$(of QDRANT_API_KEY)@qdrant:6333"
for service in CDC FEATURE_STREAM CRAWLER RAG_API; do
    echo "$documents" | ours "${service}_DOCUMENTS_URL"
    echo "$documents" | ours "${service}_RECORDS_URL"
done
for service in CDC FEATURE_STREAM RAG_API; do
    echo "$log" | ours "${service}_LOG_URL"
done
for service in FEATURE_STREAM RAG_API; do
    echo "$features" | ours "${service}_FEATURES_URL"
done
rm -f "$folder/.new"
