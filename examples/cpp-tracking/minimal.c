// SPDX-License-Identifier: Apache-2.0
// The whole of libciclo_client from C: one run with a param and a hundred metrics.
//
//   MLFLOW_TRACKING_URI=http://127.0.0.1:5000 ./minimal

#include <ciclo/client.h>
#include <stdio.h>

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, ciclo_client_last_error());
  return 1;
}

int main(void) {
  ciclo_client* client = NULL;
  ciclo_run* run = NULL;
  char experiment[CICLO_CLIENT_ID_SIZE];
  int failed = 0;

  if (ciclo_client_open(NULL, &client) != CICLO_CLIENT_OK) return fail("open");
  if (ciclo_client_set_experiment(client, "minimal", experiment) != CICLO_CLIENT_OK) {
    failed = fail("experiment");
  } else if (ciclo_client_start_run(client, experiment, NULL, &run) != CICLO_CLIENT_OK) {
    failed = fail("run");
  } else {
    ciclo_run_log_param(run, "rate", "0.1");
    for (int step = 0; step < 100; ++step) {
      ciclo_run_log_metric(run, "loss", 1.0 / (step + 1), step, CICLO_CLIENT_NOW);
    }
    if (ciclo_run_end(run, CICLO_RUN_FINISHED, 30000) != CICLO_CLIENT_OK) {
      failed = fail("end");
    } else {
      printf("run %s\n", ciclo_run_id(run));
    }
  }
  ciclo_client_close(client, 10000);
  return failed;
}
