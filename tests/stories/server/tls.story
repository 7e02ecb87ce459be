# TLS: a certificate of one's own, a client that trusts it, one that does not, and files that are wrong.

$ openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out certificate.pem
--- 0

$ sh -c 'ciclo server --listen 127.0.0.1:0 --root secure --tls-certificate certificate.pem --tls-key key.pem >out 2>err & pid=$!; until grep -q ready out; do kill -0 $pid || exit 9; sleep 0.02; done; url=$(sed -n "s/^ready //p" out); echo "$url" | cut -d: -f1; CICLO_CLIENT_CA_FILE=certificate.pem ciclo runs list --server $url --json; ciclo runs list --server $url; echo "without trust: $?"; kill $pid; wait $pid'
--- 0
2> ciclo: {{any}}certificate{{any}}
https
...
without trust: 1

$ ciclo server --root other --listen 127.0.0.1:0 --tls-certificate certificate.pem
--- 1
2> ciclo: TLS needs both a certificate and a private key

$ ciclo server --root other --listen 127.0.0.1:0 --tls-certificate none.pem --tls-key key.pem
--- 1
2> ciclo: cannot use the certificate none.pem: {{any}}

$ ciclo server --root other --listen 127.0.0.1:0 --tls-certificate certificate.pem --tls-key certificate.pem
--- 1
2> ciclo: cannot use the private key certificate.pem: {{any}}
