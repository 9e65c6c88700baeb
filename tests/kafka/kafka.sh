#!/usr/bin/env bash
# A real Apache Kafka on loopback, in KRaft combined mode, for the broker suite and the fault suite.
#
#   eval "$(tests/kafka/kafka.sh up [1|3])"  start one or three nodes; prints exports for the suites
#   tests/kafka/kafka.sh env                  print the exports again
#   tests/kafka/kafka.sh kill|stop|start N    one node: kill -9, stop cleanly, start again with its data
#   tests/kafka/kafka.sh freeze|thaw N        one node: its connections stay, and it does nothing
#   tests/kafka/kafka.sh topic NAME PARTITIONS [REPLICAS] [KEY=VALUE ...]
#   tests/kafka/kafka.sh tool CLASS ARGS...   any of Kafka's own tools, by its class
#                                             (org.apache.kafka.tools.consumer.ConsoleConsumer)
#   tests/kafka/kafka.sh down                 stop the nodes and forget their data
#
# State is in $NARAD_TEST_KAFKA; `up` makes a temporary folder where it is not set, and exports it for the
# other calls. Ports are free ones picked by `up`. Listeners of each node:
#
#   PLAINTEXT, SSL, SASL_SSL, SASL_PLAINTEXT
#   MUTUAL      SSL with a client certificate
#   TOKEN       SASL OAUTHBEARER without TLS: any unsecured JWT is taken, for at most 30 s a login
#   WRONG_HOST  SSL with a certificate of another host
#   DIRECT      between the nodes
#   LANE1..     plain, each advertising a port at which a proxy of a fault scenario listens:
#               NARAD_TEST_LANES is `proxy=broker[,proxy=broker…]` for each lane
#
# The SASL user is in NARAD_TEST_SASL_USERNAME and _PASSWORD, for PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512.
# NARAD_TEST_KAFKA_HEAP: heap of a node (512m). NARAD_TEST_KAFKA_EXTRA: more lines for its properties.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
libs=${CARGO_TARGET_DIR:-$here/../../target}/kafka-4.3.1
heap=${NARAD_TEST_KAFKA_HEAP:-512m}
lanes=8
listeners=(PLAINTEXT SSL SASL_SSL SASL_PLAINTEXT MUTUAL WRONG_HOST TOKEN DIRECT CONTROLLER)
for ((lane = 1; lane <= lanes; lane++)); do listeners+=("LANE$lane" "PROXY$lane"); done
username=alice
password=alice-secret
storepass=narad-tests

fail() { echo "kafka.sh: $*" >&2; exit 1; }
usage() { sed -n '2,/^set/p' "${BASH_SOURCE[0]}" | sed '$d; s/^# \{0,1\}//'; exit 2; }

fetch_libraries() {
  [ -d "$libs" ] && return
  local part
  mkdir -p "$(dirname "$libs")"
  part=$(mktemp -d "$libs.XXXXXX")
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$part" -DincludeScope=runtime >&2
  # Whoever is first wins; two runs at once fetch the same.
  mv -T "$part" "$libs" 2>/dev/null || rm -rf "$part"
}

java_tool() { java -Dorg.slf4j.simpleLogger.defaultLogLevel=error -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$libs/*" "$@"; }

make_certificates() {
  local tls=$state/tls who san
  [ -f "$tls/trust.p12" ] && return
  mkdir -p "$tls"
  for who in ca other-ca; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=narad-test-$who" -keyout "$tls/$who.key" -out "$tls/$who.pem" 2>/dev/null
  done
  for who in broker client wrong-host; do
    san="DNS:localhost,IP:127.0.0.1"
    [ "$who" = wrong-host ] && san="DNS:elsewhere.invalid"
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$who" -keyout "$tls/$who.key" -out "$tls/$who.csr" 2>/dev/null
    openssl x509 -req -in "$tls/$who.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial -days 30 \
      -extfile <(echo "subjectAltName=$san") -out "$tls/$who.pem" 2>/dev/null
    openssl pkcs12 -export -in "$tls/$who.pem" -inkey "$tls/$who.key" -certfile "$tls/ca.pem" -passout "pass:$storepass" -out "$tls/$who.p12"
  done
  keytool -importcert -noprompt -alias ca -file "$tls/ca.pem" -keystore "$tls/trust.p12" -storetype PKCS12 -storepass "$storepass" 2>/dev/null
}

# One line a listener and node: `NAME NODE PORT`.
pick_ports() {
  local nodes=$1 node name port taken=" "
  for ((node = 1; node <= nodes; node++)); do
    for name in "${listeners[@]}"; do
      while :; do
        # Below the range from which the system gives out ports by itself.
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        [[ $taken == *" $port "* ]] && continue
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
      done
      taken+="$port "
      echo "$name $node $port"
    done
  done >"$state/ports"
}

port() { awk -v name="$1" -v node="$2" '$1 == name && $2 == node { print $3 }' "$state/ports"; }
nodes() { awk '$1 == "PLAINTEXT"' "$state/ports" | wc -l; }

# addresses LISTENER [HOST]: of all nodes, comma-separated
addresses() {
  local node out=
  for ((node = 1; node <= $(nodes); node++)); do out+="${out:+,}${2:-127.0.0.1}:$(port "$1" "$node")"; done
  echo "$out"
}

write_properties() {
  local node=$1 count name host voters= own= advertised= map= other
  count=$(nodes)
  for ((other = 1; other <= count; other++)); do voters+="${voters:+,}$other@127.0.0.1:$(port CONTROLLER "$other")"; done
  for name in "${listeners[@]}"; do
    case $name in PROXY*) continue ;; esac
    own+="${own:+,}$name://127.0.0.1:$(port "$name" "$node")"
    case $name in
      SSL | SASL_SSL | SASL_PLAINTEXT | PLAINTEXT) map+="${map:+,}$name:$name" ;;
      MUTUAL | WRONG_HOST) map+="${map:+,}$name:SSL" ;;
      TOKEN) map+="${map:+,}$name:SASL_PLAINTEXT" ;;
      *) map+="${map:+,}$name:PLAINTEXT" ;;
    esac
    host=127.0.0.1
    case $name in *SSL | MUTUAL | WRONG_HOST) host=localhost ;; esac
    case $name in
      CONTROLLER) ;;
      LANE*) advertised+=",$name://127.0.0.1:$(port "PROXY${name#LANE}" "$node")" ;;
      *) advertised+="${advertised:+,}$name://$host:$(port "$name" "$node")" ;;
    esac
  done
  local jaas=org.apache.kafka.common.security
  cat >"$state/node$node.properties" <<P
process.roles=broker,controller
node.id=$node
controller.quorum.voters=$voters
listeners=$own
advertised.listeners=$advertised
controller.listener.names=CONTROLLER
inter.broker.listener.name=DIRECT
listener.security.protocol.map=$map
ssl.keystore.location=$state/tls/broker.p12
ssl.keystore.password=$storepass
ssl.keystore.type=PKCS12
ssl.truststore.location=$state/tls/trust.p12
ssl.truststore.password=$storepass
ssl.truststore.type=PKCS12
listener.name.wrong_host.ssl.keystore.location=$state/tls/wrong-host.p12
listener.name.wrong_host.ssl.keystore.password=$storepass
listener.name.wrong_host.ssl.keystore.type=PKCS12
listener.name.mutual.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
$(for name in sasl_ssl sasl_plaintext; do
    echo "listener.name.$name.plain.sasl.jaas.config=$jaas.plain.PlainLoginModule required user_$username=\"$password\";"
    echo "listener.name.$name.scram-sha-256.sasl.jaas.config=$jaas.scram.ScramLoginModule required;"
    echo "listener.name.$name.scram-sha-512.sasl.jaas.config=$jaas.scram.ScramLoginModule required;"
  done)
listener.name.token.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.token.oauthbearer.connections.max.reauth.ms=30000
listener.name.token.oauthbearer.sasl.jaas.config=$jaas.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
log.dirs=$state/data$node
num.partitions=4
num.network.threads=1
auto.create.topics.enable=false
default.replication.factor=$count
min.insync.replicas=$((count > 1 ? 2 : 1))
offsets.topic.num.partitions=8
offsets.topic.replication.factor=$count
transaction.state.log.num.partitions=8
transaction.state.log.replication.factor=$count
transaction.state.log.min.isr=$((count > 1 ? 2 : 1))
log.cleaner.backoff.ms=500
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.min.heartbeat.interval.ms=200
group.consumer.session.timeout.ms=6000
group.consumer.heartbeat.interval.ms=500
${NARAD_TEST_KAFKA_EXTRA:-}
P
}

format_node() {
  [ -d "$state/data$1" ] && return
  java_tool kafka.tools.StorageTool format -t "$2" -c "$state/node$1.properties" \
    -S "SCRAM-SHA-256=[name=$username,password=$password]" -S "SCRAM-SHA-512=[name=$username,password=$password]" >"$state/format$1.log" 2>&1 ||
    fail "node $1 could not be formatted: $(cat "$state/format$1.log")"
}

start_node() {
  : >"$state/node$1.log"
  setsid java -Xms"$heap" -Xmx"$heap" -XX:+UseSerialGC -cp "$libs/*" \
    kafka.Kafka "$state/node$1.properties" >>"$state/node$1.log" 2>&1 </dev/null 3>&- &
  echo $! >"$state/node$1.pid"
}

# The pid of node N, if it is running and really is that node.
pid_of() {
  local pid
  pid=$(cat "$state/node$1.pid" 2>/dev/null) || return 0
  if tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$state/node$1.properties"; then echo "$pid"; fi
}

await_node() {
  local i
  for ((i = 0; i < 720; i++)); do
    grep -q 'Kafka Server started' "$state/node$1.log" && return
    [ "$(pid_of "$1")" ] || [ "$i" -lt 8 ] || break
    sleep 0.25
  done
  tail -n 20 "$state/node$1.log" >&2
  fail "node $1 did not start; its log is $state/node$1.log"
}

await_end() {
  local i
  for ((i = 0; i < 240; i++)); do [ "$(pid_of "$1")" ] || return 0; sleep 0.25; done
  fail "node $1 did not stop"
}

write_env() {
  local tls=$state/tls lane node lane_addresses all=
  for ((lane = 1; lane <= lanes; lane++)); do
    lane_addresses=
    for ((node = 1; node <= $(nodes); node++)); do
      lane_addresses+="${lane_addresses:+,}127.0.0.1:$(port "PROXY$lane" "$node")=127.0.0.1:$(port "LANE$lane" "$node")"
    done
    all+="${all:+ }$lane_addresses"
  done
  cat >"$state/env" <<P
export NARAD_TEST_KAFKA='$state'
export NARAD_TEST_BROKERS='$(addresses PLAINTEXT)'
export NARAD_TEST_SSL_BROKERS='$(addresses SSL localhost)'
export NARAD_TEST_SASL_SSL_BROKERS='$(addresses SASL_SSL localhost)'
export NARAD_TEST_SASL_PLAINTEXT_BROKERS='$(addresses SASL_PLAINTEXT)'
export NARAD_TEST_TOKEN_BROKERS='$(addresses TOKEN)'
export NARAD_TEST_MUTUAL_BROKERS='$(addresses MUTUAL localhost)'
export NARAD_TEST_WRONG_HOST_BROKERS='$(addresses WRONG_HOST localhost)'
export NARAD_TEST_LANES='$all'
export NARAD_TEST_CA='$tls/ca.pem'
export NARAD_TEST_OTHER_CA='$tls/other-ca.pem'
export NARAD_TEST_CLIENT_CERT='$tls/client.pem'
export NARAD_TEST_CLIENT_KEY='$tls/client.key'
export NARAD_TEST_SASL_USERNAME='$username'
export NARAD_TEST_SASL_PASSWORD='$password'
P
}

command=${1:-}
[ "$command" ] || usage
state=${NARAD_TEST_KAFKA:-}
if [ "$command" != up ]; then
  case $command in tool) ;; *) [ -d "$state" ] || fail "NARAD_TEST_KAFKA names no running Kafka; eval what \`$0 up\` prints" ;; esac
fi

case $command in
  up)
    count=${2:-1}
    [[ $count =~ ^[1-9]$ ]] || usage
    [ "$state" ] || state=$(mktemp -d "${TMPDIR:-/tmp}/narad-kafka.XXXXXX")
    mkdir -p "$state"
    state=$(cd "$state" && pwd)
    for ((node = 1; node <= count; node++)); do [ -z "$(pid_of "$node")" ] || fail "node $node in $state is already running"; done
    fetch_libraries
    make_certificates
    if [ ! -f "$state/ports" ] || [ "$(nodes)" != "$count" ]; then
      rm -rf "$state"/data*
      pick_ports "$count"
    fi
    id=$(cat "$state/cluster" 2>/dev/null || java_tool kafka.tools.StorageTool random-uuid 2>/dev/null | tail -n 1 | tee "$state/cluster")
    for ((node = 1; node <= count; node++)); do write_properties "$node"; format_node "$node" "$id"; start_node "$node"; done
    for ((node = 1; node <= count; node++)); do await_node "$node"; done
    write_env
    cat "$state/env"
    ;;
  env) cat "$state/env" ;;
  kill) pid=$(pid_of "${2:?node}"); [ "$pid" ] && kill -9 "$pid"; await_end "$2" ;;
  stop) pid=$(pid_of "${2:?node}"); [ "$pid" ] && kill "$pid"; await_end "$2" ;;
  freeze) kill -STOP "$(pid_of "${2:?node}")" ;;
  thaw) kill -CONT "$(pid_of "${2:?node}")" ;;
  start) [ -z "$(pid_of "${2:?node}")" ] || fail "node $2 is already running"; start_node "$2"; await_node "$2" ;;
  topic)
    name=${2:?name} partitions=${3:?partitions} replicas=${4:-$(nodes)}
    configs=()
    for setting in "${@:5}"; do configs+=(--config "$setting"); done
    java_tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$(addresses DIRECT)" --create --if-not-exists --topic "$name" \
      --partitions "$partitions" --replication-factor "$replicas" "${configs[@]}"
    ;;
  tool) fetch_libraries; java_tool "${@:2}" ;;
  down)
    for ((node = 1; node <= $(nodes); node++)); do
      pid=$(pid_of "$node")
      # What the nodes hold is thrown away, so there is nothing for them to finish.
      if [ "$pid" ]; then kill -9 "$pid"; fi
    done
    for ((node = 1; node <= $(nodes); node++)); do await_end "$node"; done
    rm -rf "$state"/data* "$state"/node* "$state"/format* "$state"/tls "$state"/ports "$state"/env "$state"/cluster
    rmdir "$state" 2>/dev/null || true
    ;;
  *) usage ;;
esac
