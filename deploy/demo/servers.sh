# Starts and ends a log with three witnesses on loopback, for scripts that try them out: sourced, not run.
#
# Expects: work (a new directory), bin (where the programs are), origin. Gives: log (its address), start, stop, address.
# shellcheck shell=bash disable=SC2034,SC2154 # what is expected and given is named above

declare -A pids=()

fail() {
    printf '%s: FAILED: %s\n' "$(basename "$0")" "$*" >&2
    tail -n 5 "$work"/*.log >&2 2>/dev/null || true
    exit 1
}

stop() {
    local name=$1
    [ -n "${pids[$name]:-}" ] || return 0
    kill -TERM "${pids[$name]}" 2>/dev/null || true
    wait "${pids[$name]}" 2>/dev/null || true
    unset "pids[$name]"
}
end() {
    local name
    for name in "${!pids[@]}"; do stop "$name"; done
    rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start NAME COMMAND...: runs a server until the script ends; its address is printed on its stdout once it listens.
start() {
    local name=$1
    shift
    : >"$work/$name.out"
    "$@" >"$work/$name.out" 2>>"$work/$name.log" &
    pids[$name]=$!
}

# address NAME [WORDS]: waits until the server listens, and prints where; WORDS are those it says before the address.
address() {
    local name=$1 words=${2:-listening on} found tries
    for ((tries = 0; tries < 300; tries++)); do
        found=$(sed -n "s/^$words //p" "$work/$name.out")
        if [ -n "$found" ]; then
            printf '%s\n' "$found"
            return
        fi
        kill -0 "${pids[$name]}" 2>/dev/null || fail "$name ended before it listened"
        sleep 0.1
    done
    fail "$name does not listen after 30 s"
}

# ready ADMIN: waits until a server says on its admin address that it is ready.
ready() {
    local place=${1#http://} status tries
    for ((tries = 0; tries < 300; tries++)); do
        # In a shell of its own: a connection that is refused ends the one that asks for it.
        status=$( (exec 8<>"/dev/tcp/${place%:*}/${place##*:}" && printf 'GET /readyz HTTP/1.0\r\n\r\n' >&8 && head -n 1 <&8) 2>/dev/null) || status=''
        case $status in *' 200 '*) return ;; esac
        sleep 0.1
    done
    fail "$1 is not ready after 30 s: $status"
}

# Makes and starts three witnesses and a log that publishes when two of them have cosigned.
start_log() {
    local n vkey url logkey witnesses=()
    for program in govlog-server govlog-witness govlog; do
        [ -x "$bin/$program" ] || fail "$bin/$program is missing; run: make build"
    done
    for n in 1 2 3; do
        vkey=$("$bin/govlog-witness" init --dir "$work/w$n" --name "w$n.demo.example" --listen 127.0.0.1:0 --admin 127.0.0.1:0 2>>"$work/w$n.log")
        start "w$n" "$bin/govlog-witness" run --config "$work/w$n/witness.toml"
        url=$(address "w$n")
        witnesses+=(--witness "w$n $vkey $url")
    done
    logkey=$("$bin/govlog-server" init --demo --dir "$work/log" --origin "$origin" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
        "${witnesses[@]}" --quorum 2 2>>"$work/log.log")
    for n in 1 2 3; do "$bin/govlog-witness" add-log --dir "$work/w$n" "$logkey" >/dev/null 2>>"$work/w$n.log"; done
    start log "$bin/govlog-server" run --config "$work/log/log.toml"
    log=$(address log)
    # Until its witnesses have confirmed its head it takes nothing.
    ready "$(address log 'admin on')"
}
