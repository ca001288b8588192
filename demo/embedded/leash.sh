# Runs a server and stops it when file descriptor 3 closes: that is, when the process that holds
# the other end exits, however it dies.
"$@" &
server=$!
{ cat <&3 >/dev/null; kill -INT "$server"; } 2>/dev/null &
wait "$server"
