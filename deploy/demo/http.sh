# As much HTTP as the demo needs, so that it needs no other program: sourced, not run.
#
# Expects: fail.
# shellcheck shell=bash disable=SC2034,SC2154 # what is expected and given is named above

# connect URL: opens a connection on descriptor 9.
connect() {
    local place=${1#http://}
    exec 9<>"/dev/tcp/${place%:*}/${place##*:}" || fail "$1 cannot be reached"
}

# answer: reads an answer from descriptor 9 to its end, and prints status and body.
answer() {
    local status line length=0
    read -r -t 60 _ status _ <&9 || return 1
    while read -r -t 60 line <&9 && [ "${line%$'\r'}" ]; do
        case ${line,,} in content-length:*) length=${line#*:} ;; esac
    done
    length=${length//[^0-9]/}
    printf '%s ' "$status"
    head -c "${length:-0}" <&9
}

# http_get URL PATH: prints the body of a 200.
http_get() {
    local answered
    connect "$1"
    printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$2" "${1#http://}" >&9
    answered=$(answer) || fail "$1$2 gave no answer"
    exec 9>&-
    [ "${answered%% *}" = 200 ] || fail "$1$2 answered $answered"
    printf '%s\n' "${answered#* }"
}

# http_post URL PATH HEADERS BODY: sends a body with these headers, a line each; prints status and answer.
http_post() {
    connect "$1"
    {
        printf 'POST %s HTTP/1.1\r\nHost: %s\r\n' "$2" "${1#http://}"
        sed 's/$/\r/' "$3"
        printf '\r\n'
        cat "$4"
    } >&9 || fail "$1$2: the connection broke off"
    answer || fail "$1$2 gave no answer"
    exec 9>&-
}
