# Waits for an agent: sourced, not run.
#
# Expects: admin (the address of its admin interface), work, fail, and http.sh. Gives: metric, wait_published.
# shellcheck shell=bash disable=SC2154 # what is expected is named above

# metric NAME: a number of the agent's, 0 while there is none.
metric() { awk -v name="$1" '$1 == name { found = $2 } END { print found + 0 }' "$work/metrics"; }

# wait_published [SECONDS]: waits until nothing is in the outbox, twice in a row: everything is published then, and proved to be.
wait_published() {
    local left state empty=0 end=$((SECONDS + ${1:-120}))
    while [ "$empty" -lt 2 ]; do
        http_get "$admin" /metrics >"$work/metrics"
        left=0
        for state in waiting held signed; do left=$((left + $(metric "govlog_agent_outbox_depth{state=\"$state\"}"))); done
        [ "$(metric govlog_agent_streams_held)" -eq 0 ] || fail "the log refuses what the agent signs"
        [ "$SECONDS" -lt "$end" ] || fail "$left statements are not published after ${1:-120} s"
        if [ "$left" -eq 0 ]; then empty=$((empty + 1)); else empty=0; fi
        if [ -t 1 ]; then printf '\r  %s published, %s to go\033[K' "$(metric govlog_agent_published_total)" "$left"; fi
        sleep 0.2
    done
    if [ -t 1 ]; then printf '\r\033[K'; fi
}

# wait_metric NAME COUNT SECONDS: waits until a number of the agent's has grown to that.
wait_metric() {
    local end=$((SECONDS + $3))
    until http_get "$admin" /metrics >"$work/metrics" && [ "$(metric "$1")" -ge "$2" ]; do
        [ "$SECONDS" -lt "$end" ] || fail "$1 is $(metric "$1") after $3 s, expected $2"
        sleep 0.2
    done
}
