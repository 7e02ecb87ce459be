# The server raises its limit of open files, and takes no more connections than fit below it.

$ sh -c 'ulimit -Sn 200; ulimit -Hn 700; exec ciclo server --listen 127.0.0.1:0 --root limited >out 2>err & pid=$!; until grep -q ready out; do kill -0 $pid || exit 9; sleep 0.02; done; grep "open files" /proc/$pid/limits; kill $pid; wait $pid'
--- 0
Max open files            700                  700                  files{{any}}

$ grep -c "the limit of open files allows fewer connections" err
--- 0
1

$ grep -c '"allowed":444' err
--- 0
1
