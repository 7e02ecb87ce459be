# The server answers when it says so, ends cleanly, and says what it does not know.

GET /health
--- 200
{"status": "ok"}

GET /api/v1/status
--- 200
{"version": "{{any}}", "counts": {"runs": 0, "pipeline_runs": 0}}

GET /api/v1/none
--- 404
{"error": {"code": "not_found"}}

! restart

GET /health
--- 200
