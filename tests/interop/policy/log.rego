package system.log

mask contains "/input/context/session_token"
