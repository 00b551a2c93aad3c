# shellcheck shell=bash disable=SC2154
# The part of deploy/check that runs real things on the loopback: a service, before it nginx with deploy's nginx.conf,
# but for addresses and paths, and Prometheus with deploy's configuration.
# Takes what conformance/lib.sh has from there.

# Through nginx, with the certificate that prepare has made.
edge() { curl -s --cacert "$work/compose/secrets/tls.crt" "$@"; }

# refusal STATUS CODE ARGUMENTS…: a response with the error that a client of Tessera reads, and a request id.
refusal() {
  local wanted=$1 code=$2 found
  shift 2
  found=$(edge -D "$work/head" -o "$work/body" -w '%{http_code}' "$@")
  is "$wanted" "$found" "$code" && is "$code" "$(jq -r .error.code "$work/body")" "code" \
    && is "$(jq -r .error.request_id "$work/body")" \
      "$(tr -d '\r' <"$work/head" | sed -n 's/^x-request-id: //Ip')" "X-Request-Id"
}

start_nginx() {
  local https http
  https=$(free_port) http=$(free_port)
  mkdir -p "$work/compose" && cp deploy/compose/prepare "$work/compose/" && "$work/compose/prepare" || return
  sed -e "s,/etc/nginx/tls,$work/compose/secrets,; s,/tmp/nginx,$work/nginx,; s,/dev/std[a-z]*,$work/nginx.log," \
    -e "s,tessera:8080,127.0.0.1:$port,; /listen \[::\]/d" \
    -e "s,listen 8080,listen 127.0.0.1:$http,; s,listen 8443,listen 127.0.0.1:$https," \
    deploy/nginx/nginx.conf >"$work/nginx.conf"
  nginx -t -q -c "$work/nginx.conf" -e "$work/nginx.log" || return
  nginx -c "$work/nginx.conf" -e "$work/nginx.log" -g 'daemon off;' &
  started+=("$!")
  front=https://localhost:$https plain=http://localhost:$http
  until_is 200 edge -o /dev/null -w '%{http_code}' "$front/health/ready"
}

photograph() { printf '%s\n' -H 'Content-Type: image/jpeg' --data-binary "@$root/docs/chelsea.jpg"; }

nginx_serves() {
  local photo found
  mapfile -t photo < <(photograph)
  curl -s -o "$work/direct" "${photo[@]}" "$url/v1/encode"
  is 200 "$(edge -o "$work/proxied" -w '%{http_code}' "${photo[@]}" "$front/v1/encode")" "encode" || return
  cmp "$work/direct" "$work/proxied" || return
  found=$(edge -o /dev/null -w '%{http_code} %{content_type}' "${photo[@]}" "$front/v1/reconstruct")
  is "200 image/png" "$found" "reconstruct" || return
  photo+=(-H 'Transfer-Encoding: chunked')
  is 200 "$(edge -o "$work/proxied" -w '%{http_code}' "${photo[@]}" "$front/v1/encode")" "encode, chunked" \
    && cmp "$work/direct" "$work/proxied" || return
  is mine "$(edge -D - -o /dev/null -H 'X-Request-Id: mine' "$front/health/live" | tr -d '\r' \
    | sed -n 's/^x-request-id: //Ip')" "a client's request id" || return
  is "308 https://localhost/v1/models" \
    "$(curl -s -o /dev/null -w '%{http_code} %{redirect_url}' "$plain/v1/models")" "without TLS"
}

nginx_limits() {
  local image=(-H 'Content-Type: image/jpeg')
  truncate -s $((20 * 1024 * 1024 + 1)) "$work/large"
  truncate -s $((64 * 1024 * 1024 + 1)) "$work/huge"
  refusal 413 body_too_large "${image[@]}" --data-binary "@$work/large" "$front/v1/encode" || return
  jq -e '.error.message | contains("64 MiB") | not' "$work/body" >/dev/null \
    || { echo "nginx refused what the service should have"; return 1; }
  refusal 413 body_too_large "${image[@]}" --data-binary "@$work/huge" "$front/v1/encode" || return
  jq -e '.error.message | contains("64 MiB")' "$work/body" >/dev/null \
    || { echo "the service refused what nginx should have"; return 1; }
  refusal 404 not_found "$front/metrics" || return
  refusal 414 request_line_too_long "$front/$(printf 'a%.0s' {1..9000})" || return
  refusal 431 header_too_large "${image[@]}" -H "$(printf 'X-A: %09000d' 0)" "$front/v1/models"
}

# Interim responses, before the final one.
interim() {
  curl -sv --cacert "$work/compose/secrets/tls.crt" -o /dev/null -H 'Expect: 100-continue' "$@" 2>&1 \
    | tr -d '\r' | sed -n 's,^< HTTP/1.1 ,,p' | xargs
}

nginx_expect() {
  local photo
  mapfile -t photo < <(photograph)
  is "100 Continue 200 OK" "$(interim "${photo[@]}" "$front/v1/encode")" "Expect with a photograph" || return
  is "100 Continue 200 OK" "$(interim "${photo[@]}" "$url/v1/encode")" "the same at the service itself" || return
  photo=(-H 'Content-Type: image/jpeg' --data-binary "@$work/huge")
  is "413 Request Entity Too Large" "$(interim "${photo[@]}" "$front/v1/encode")" "Expect with a huge body"
}

# The service gets a slow upload when it is complete.
nginx_buffers() {
  local photo upload size found
  mapfile -t photo < <(photograph)
  size=$(stat -c %s "$root/docs/chelsea.jpg")
  sleep 11 # Idle connections to the service are closed after 10 s.
  edge -o /dev/null -w '%{http_code}' --limit-rate $((size / 4)) "${photo[@]}" "$front/v1/encode" >"$work/slow" &
  upload=$!
  sleep 1.5
  found=$(python3 -c "
rows = [line.split() for line in open('/proc/net/tcp')][1:]
print(sum(row[2].endswith(f':{$port:04X}') and row[3] == '01' for row in rows))")
  wait "$upload"
  is 0 "$found" "connections to the service during a slow upload" && is 200 "$(cat "$work/slow")" "the slow upload"
}

nginx_rates() {
  local found
  mkdir -p "$work/rates"
  found=$(edge -o "$work/rates/#1" -w '%{http_code} %header{retry-after}\n' "$front/v1/models?[1-100]")
  found=$(sort -u <<<"$found" | xargs)
  is "200 429 1" "$found" "statuses of 100 requests at once, and Retry-After" \
    && grep -q '"code":"rate_limited"' "$work"/rates/*
}

# Last: the service is stopped.
nginx_outlives() {
  kill -TERM "$service"
  until_is 503 edge -o /dev/null -w '%{http_code}' "$front/health/ready" || return
  is '{"status":"draining"}' "$(edge "$front/health/ready")" "the service's own words while it drains" || return
  wait "$service" || { echo "the service left with $?"; return 1; }
  refusal 502 bad_gateway "$front/health/ready"
}

health_check() {
  deploy/docker/healthcheck "$port" || { echo "a ready service is not healthy"; return 1; }
  ! deploy/docker/healthcheck "$port" /no/such || { echo "a 404 is healthy"; return 1; }
  ! deploy/docker/healthcheck "$(free_port)" 2>/dev/null || { echo "no service is healthy"; return 1; }
}

metrics() {
  local photo
  mapfile -t photo < <(photograph)
  curl -s -o /dev/null "${photo[@]}" "$url/v1/encode?margin=true"
  curl -s -o "$work/metrics" "$url/metrics"
  promtool check metrics <"$work/metrics" && "$python" -c "
from prometheus_client.parser import text_string_to_metric_families as read
print(len(list(read(open('$work/metrics').read()))), 'families')"
}

prometheus_scrapes() {
  local prometheus result
  prometheus=$(free_port)
  mkdir -p "$work/prometheus" && cp deploy/prometheus/rules.yml "$work/prometheus/"
  sed -e "s,tessera:8080,127.0.0.1:$port,; s,localhost:9090,127.0.0.1:$prometheus,; s,15s,1s," \
    deploy/prometheus/prometheus.yml >"$work/prometheus/prometheus.yml"
  prometheus --config.file="$work/prometheus/prometheus.yml" --storage.tsdb.path="$work/prometheus/data" \
    --web.listen-address="127.0.0.1:$prometheus" >"$work/prometheus.log" 2>&1 &
  started+=("$!")
  until_is 200 status "http://127.0.0.1:$prometheus/-/ready" || { cat "$work/prometheus.log"; return 1; }
  "$python" deploy/checks/queries.py "http://127.0.0.1:$prometheus" "$work/dashboard.yml" deploy/prometheus/rules.yml
  result=$?
  # What comes after it counts connections.
  kill "${started[-1]}" && wait "${started[-1]}"
  return "$result"
}

live() {
  local reason=""
  [ -x "$binary" ] || reason="no $binary"
  for program in curl jq openssl; do command -v "$program" >/dev/null || reason="no $program"; done
  if [ -n "$reason" ]; then
    skip "nginx and Prometheus with a service" "nginx, prometheus" "$reason"
    return
  fi
  check "the service starts" tessera start_service --threads 1 --drain-delay 3
  kill -0 "$service" 2>/dev/null || return
  check "health check of the image" "bash, a service" health_check
  if [ "$(status "$url/metrics")" = 200 ]; then
    need "/metrics" promtool && check "/metrics" "promtool, Python client" metrics
    need "Prometheus scrapes; queries have names" prometheus \
      && check "Prometheus scrapes; queries have names" "a real Prometheus" prometheus_scrapes
  else
    skip "Prometheus scrapes; queries have names" prometheus "$binary has no /metrics"
  fi
  need "nginx.conf, linted" gixy \
    && check "nginx.conf, linted" gixy gixy --skips stale_dns_cache deploy/nginx/nginx.conf
  need "nginx in front of the service" nginx || return
  check "nginx.conf" "nginx -t, a real nginx" start_nginx
  [ -n "${front:-}" ] || return
  check "nginx: TLS, uploads, request ids" "curl" nginx_serves
  check "nginx: limits, errors as Tessera's" "curl" nginx_limits
  check "nginx: Expect: 100-continue" "curl" nginx_expect
  check "nginx: an upload reaches the service whole" "curl" nginx_buffers
  check "nginx: rate limit" "curl" nginx_rates
  check "nginx: a service that drains and goes" "curl" nginx_outlives
}
