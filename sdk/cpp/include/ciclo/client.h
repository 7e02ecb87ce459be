// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * libciclo_client: logs runs, metrics, params and tags to a tracking server from C and C++, at less
 * than a microsecond a metric. It speaks MLflow's REST API, so the server is Ciclo or MLflow's own.
 *
 *   ciclo_client* client = NULL;
 *   ciclo_run* run = NULL;
 *   char experiment[CICLO_CLIENT_ID_SIZE];
 *   if (ciclo_client_open(NULL, &client) != CICLO_CLIENT_OK ||
 *       ciclo_client_set_experiment(client, "flights", experiment) != CICLO_CLIENT_OK ||
 *       ciclo_client_start_run(client, experiment, "first", &run) != CICLO_CLIENT_OK) {
 *     fprintf(stderr, "%s\n", ciclo_client_last_error());
 *   }
 *   ciclo_run_log_metric(run, "loss", 0.25, 1, CICLO_CLIENT_NOW);
 *   ciclo_run_end(run, CICLO_RUN_FINISHED, 10000);
 *   ciclo_client_close(client, 10000);
 *
 * Logging and sending. ciclo_run_log_… and ciclo_run_set_tag check their arguments and put the
 * value into a ring in memory; a thread of the client sends the ring's content, up to 1,000 metrics
 * a request, in order for each run. What was put there is safe once ciclo_client_flush has returned
 * CICLO_CLIENT_OK: the server has answered that it is stored. A request that fails with the
 * connection, with 429, or with a 5xx is sent again, after a delay that doubles, until it succeeds;
 * its values are not stored twice, for each keeps its time and step, and the request its
 * Idempotency-Key. What the server refuses for its content is split until what is wrong stands
 * alone; only that is lost, it is counted as refused, and the next flush says so. Answers of 401,
 * 403 and 500, which tell of the server rather than of the values, count as refused only once they
 * have lasted for server_error_timeout_ms.
 *
 * Cost. Logging a metric is lock-free, allocates nothing and makes no system call, unless the ring
 * is full. Logging a param or tag allocates a copy of its value.
 *
 * Threads. All functions of a client and its runs may be called from many threads at once, but
 * ciclo_client_close: no other call may be under way then or come after. The client's own thread
 * takes no signal.
 *
 * Errors. Functions that can fail return a ciclo_client_status. The sentence to it is
 * ciclo_client_last_error(), of the calling thread. No C++ exception leaves the library.
 *
 * Ownership. Texts that are passed in are copied. Runs belong to their client and live until it is
 * closed.
 *
 * fork. The sending thread does not exist in a child process. There every function that uses a
 * client from before the fork returns CICLO_CLIENT_FORKED and does nothing (closing it does not
 * free it either); open a new client in the child. The parent's is not affected.
 *
 * The end of the process. What is not flushed when the process ends is lost, so close the client
 * before; the C++ wrapper (client.hpp) does so. Leaving main, or exit(), with an open client is not
 * supported, for its thread would run on while libraries are torn down; _exit() and signals are
 * safe.
 */

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when something is added; what is there keeps its meaning and layout. */
#define CICLO_CLIENT_ABI 1

/* Sizes of the buffers that ids are written into, with their final NUL. */
#define CICLO_CLIENT_ID_SIZE 64

/* The longest key of a metric, param or tag, in bytes of UTF-8. */
#define CICLO_CLIENT_KEY_MAX 250

/* As a metric's timestamp: the present. */
#define CICLO_CLIENT_NOW INT64_C(-1)

#define CICLO_CLIENT_API __attribute__((visibility("default")))

typedef struct ciclo_client ciclo_client;
typedef struct ciclo_run ciclo_run;

typedef enum ciclo_client_status {
  CICLO_CLIENT_OK = 0,
  CICLO_CLIENT_INVALID_ARGUMENT = 1, /* what was passed is wrong; nothing was done */
  CICLO_CLIENT_NOT_FOUND = 2,        /* the server knows no such experiment or run */
  CICLO_CLIENT_ALREADY_EXISTS = 3,   /* the name is taken */
  CICLO_CLIENT_REFUSED = 4,          /* the server refuses the content, or who sends it */
  CICLO_CLIENT_UNAVAILABLE = 5, /* the server could not be reached, or was not able to answer */
  CICLO_CLIENT_DEADLINE = 6,    /* not everything was acknowledged in time */
  CICLO_CLIENT_DROPPED = 7,     /* the ring is full, and the client was opened to drop */
  CICLO_CLIENT_ENDED = 8,       /* the run has been ended */
  CICLO_CLIENT_FORKED = 9,      /* the client belongs to the parent process */
  CICLO_CLIENT_INTERNAL = 10    /* no memory, no thread, or a bug */
} ciclo_client_status;

/* What logging does when the ring is full: the server is away, or slower than the program. */
typedef enum ciclo_client_when_full {
  CICLO_CLIENT_BLOCK = 0, /* wait until there is room, however long that takes */
  CICLO_CLIENT_DROP = 1   /* drop the value, count it, return CICLO_CLIENT_DROPPED */
} ciclo_client_when_full;

typedef enum ciclo_run_status {
  CICLO_RUN_FINISHED = 0,
  CICLO_RUN_FAILED = 1,
  CICLO_RUN_KILLED = 2
} ciclo_run_status;

/* Set by ciclo_client_options_init, then changed as wanted. */
typedef struct ciclo_client_options {
  size_t size;              /* of this struct, as the caller was compiled */
  const char* tracking_uri; /* http:// or https://; NULL: the variable MLFLOW_TRACKING_URI */
  /* Sent as a bearer token. NULL: MLFLOW_TRACKING_TOKEN; where that is not set, the user name and
   * password of MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or nothing. */
  const char* token;
  const char* ca_file; /* PEM; NULL: MLFLOW_TRACKING_SERVER_CERT_PATH, or the system's */
  /* Values that the ring holds, rounded up to a power of two; 2 to 16,777,216. 320 bytes each.
   * Default: 16,384. */
  size_t capacity;
  ciclo_client_when_full when_full;
  int64_t flush_interval_ms;  /* a value is sent at the latest so long after; 200 */
  int64_t call_timeout_ms;    /* of the calls that wait for an answer, and of one request; 30,000 */
  int64_t retry_delay_max_ms; /* the longest delay between two tries; 5,000 */
  int64_t server_error_timeout_ms; /* see above; 600,000 */
} ciclo_client_options;

typedef struct ciclo_client_metric {
  const char* key;
  double value;
  int64_t step;
  int64_t timestamp_ms; /* since 1970 UTC, or CICLO_CLIENT_NOW */
} ciclo_client_metric;

/* A param or a tag. */
typedef struct ciclo_client_text {
  const char* key;
  const char* value;
} ciclo_client_text;

/* Values (metrics, params, tags) since the client was opened. logged = acknowledged + refused +
 * those still under way. */
typedef struct ciclo_client_counters {
  uint64_t logged;       /* put into the ring */
  uint64_t sent;         /* handed to a request, at its first try */
  uint64_t acknowledged; /* stored, as the server has answered */
  uint64_t refused;      /* given up, because the server refuses them */
  uint64_t dropped;      /* not taken, because the ring was full */
  uint64_t retries;      /* of requests */
} ciclo_client_counters;

/* The defaults of this version of the library, in a struct of that size: a program keeps working
 * with a library that knows more options than it was compiled with, and they have their defaults.
 * `options` must not be NULL. */
CICLO_CLIENT_API void ciclo_client_options_init_sized(ciclo_client_options* options, size_t size);
static inline void ciclo_client_options_init(ciclo_client_options* options) {
  ciclo_client_options_init_sized(options, sizeof *options);
}

/* Opens a client; `options` may be NULL for the defaults. Does not connect yet, so that it succeeds
 * while the server is away. INVALID_ARGUMENT for an option out of its range, a URI that is neither
 * http nor https, and no URI at all; INTERNAL without memory or a thread. *client is NULL then. */
CICLO_CLIENT_API ciclo_client_status ciclo_client_open(const ciclo_client_options* options,
                                                       ciclo_client** client);

/* Flushes for at most timeout_ms, ends the thread and frees the client with its runs, whatever it
 * returns; a request under way is cut off, which takes up to a second more. As ciclo_client_flush,
 * DEADLINE when values are lost. Does nothing to NULL. Runs are not ended. */
CICLO_CLIENT_API ciclo_client_status ciclo_client_close(ciclo_client* client, int64_t timeout_ms);

/* The following three wait for the server, retrying for call_timeout_ms, then UNAVAILABLE. `id`
 * holds the experiment's id after success. REFUSED for what the server does not allow, such as a
 * name that is too long or a wrong token. */

/* ALREADY_EXISTS when there is one of that name, also a deleted one. */
CICLO_CLIENT_API ciclo_client_status ciclo_client_create_experiment(ciclo_client* client,
                                                                    const char* name,
                                                                    char id[CICLO_CLIENT_ID_SIZE]);
/* NOT_FOUND when there is none of that name; REFUSED when it is deleted. */
CICLO_CLIENT_API ciclo_client_status ciclo_client_get_experiment(ciclo_client* client,
                                                                 const char* name,
                                                                 char id[CICLO_CLIENT_ID_SIZE]);
/* The experiment of that name, created when there is none. REFUSED when it is deleted. */
CICLO_CLIENT_API ciclo_client_status ciclo_client_set_experiment(ciclo_client* client,
                                                                 const char* name,
                                                                 char id[CICLO_CLIENT_ID_SIZE]);

/* Creates a run; without a name (NULL) the server finds one. The server is asked as above, and one
 * run is made, also when an answer is lost. The run is RUNNING until ciclo_run_end. */
CICLO_CLIENT_API ciclo_client_status ciclo_client_start_run(ciclo_client* client,
                                                            const char* experiment_id,
                                                            const char* name, ciclo_run** run);
/* Goes on with a run that is there, in whatever status. NOT_FOUND when there is none. */
CICLO_CLIENT_API ciclo_client_status ciclo_client_resume_run(ciclo_client* client,
                                                             const char* run_id, ciclo_run** run);
/* Its id, valid as long as the run. */
CICLO_CLIENT_API const char* ciclo_run_id(const ciclo_run* run);

/* Logs one value. Keys: at most CICLO_CLIENT_KEY_MAX bytes of letters, digits, "_-.: /"; no "/" at
 * either end, no empty, "." or ".." part. Any double is taken; NaN is stored as such, and of the
 * infinities MLflow stores the largest doubles. INVALID_ARGUMENT, DROPPED, ENDED. */
CICLO_CLIENT_API ciclo_client_status ciclo_run_log_metric(ciclo_run* run, const char* key,
                                                          double value, int64_t step,
                                                          int64_t timestamp_ms);
/* A param's value cannot be changed; a second value is refused, which a flush tells. */
CICLO_CLIENT_API ciclo_client_status ciclo_run_log_param(ciclo_run* run, const char* key,
                                                         const char* value);
CICLO_CLIENT_API ciclo_client_status ciclo_run_set_tag(ciclo_run* run, const char* key,
                                                       const char* value);
/* The same for many values: all are checked before the first is taken. A NULL pointer goes with a
 * count of 0. DROPPED as soon as one finds no room; those before it are taken. */
CICLO_CLIENT_API ciclo_client_status
ciclo_run_log_batch(ciclo_run* run, const ciclo_client_metric* metrics, size_t metric_count,
                    const ciclo_client_text* params, size_t param_count,
                    const ciclo_client_text* tags, size_t tag_count);

/* Waits until all values that were logged before are acknowledged. DEADLINE when that takes longer
 * than timeout_ms; they stay under way, and a later flush may succeed. REFUSED when values were
 * refused since the last flush that told so; the others are stored. A timeout of 0 looks only. */
CICLO_CLIENT_API ciclo_client_status ciclo_client_flush(ciclo_client* client, int64_t timeout_ms);

/* Flushes, then tells the server how the run ended; further values are answered ENDED. Both within
 * timeout_ms. When the flush reports REFUSED the run is ended all the same, and that is returned;
 * after DEADLINE or UNAVAILABLE it is not, and the call may be repeated. */
CICLO_CLIENT_API ciclo_client_status ciclo_run_end(ciclo_run* run, ciclo_run_status status,
                                                   int64_t timeout_ms);

/* Neither waits for anything. `size` is that of the caller's struct, as above. */
CICLO_CLIENT_API ciclo_client_status ciclo_client_get_counters_sized(
    const ciclo_client* client, ciclo_client_counters* counters, size_t size);
static inline ciclo_client_status ciclo_client_get_counters(const ciclo_client* client,
                                                            ciclo_client_counters* counters) {
  return ciclo_client_get_counters_sized(client, counters, sizeof *counters);
}

/* Why the last call that failed in this thread did so: one line, empty when none has. Valid until
 * the next call in this thread. */
CICLO_CLIENT_API const char* ciclo_client_last_error(void);

/* "OK", "INVALID_ARGUMENT", … */
CICLO_CLIENT_API const char* ciclo_client_status_name(ciclo_client_status status);

/* The library's version, "0.1.0". */
CICLO_CLIENT_API const char* ciclo_client_version(void);

#ifdef __cplusplus
}
#endif
