package ledger.authz

# A path that no rule names has no decision at all: OPA logs it without a result.
decision := {"allow": allow, "reasons": reasons} if input.action.name != "unheard-of"

default allow := false

allow if input.action.name == "read"

allow if {
	input.action.name == "post"
	input.context.amount <= data.limits.post
}

reasons contains "reader" if input.action.name == "read"

reasons contains "below-limit" if {
	input.action.name == "post"
	input.context.amount <= data.limits.post
}

reasons contains "no-rule-matched" if not allow
