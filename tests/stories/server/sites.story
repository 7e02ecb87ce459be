# Pages of other sites cannot use a visitor's browser against the server: neither by a name that its owner resolves to
# the server's address, nor by a request that changes something.

GET /api/v1/status
Host: evil.example
--- 403
{"error": {"code": "permission_denied", "message": "{{any}}http.allowed_hosts"}}

GET /api/2.0/mlflow/experiments/get?experiment_id=0
Host: evil.example:5000
--- 403
{"error_code": "PERMISSION_DENIED", "message": "{{any}}http.allowed_hosts"}

POST /api/2.0/mlflow/experiments/create
Content-Type: application/json
Origin: http://evil.example

{"name": "stolen"}
--- 403
{"error_code": "PERMISSION_DENIED", "message": "{{any}}http.allowed_origins"}

GET /api/2.0/mlflow/experiments/get-by-name?experiment_name=stolen
--- 404

# A type that needs no leave of the server is refused too.

POST /api/2.0/mlflow/experiments/create
Content-Type: text/plain

{"name": "stolen"}
--- 400
{"error_code": "INVALID_PARAMETER_VALUE", "message": "the Content-Type of a request must be application/json, got \"text/plain\""}

POST /api/2.0/mlflow/experiments/create
Content-Type: application/json
Origin: http://localhost:3000

{"name": "sites"}
--- 200
