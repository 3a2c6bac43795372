"""Keeping a daemon running: by systemd, or by a small init script where there is none."""

from __future__ import annotations

from pathlib import Path

from cumulus_worker.setup.telling import run

#: Restarts what ends, and ends with what it has started.
_INIT_SCRIPT = """\
#!/bin/sh
### BEGIN INIT INFO
# Provides:          {name}
# Required-Start:    $remote_fs
# Required-Stop:     $remote_fs
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: {about}
### END INIT INFO
pid=/run/{name}.pid
log=/var/log/{name}.log
case $1 in
    keep)
        trap 'kill "$child" 2>/dev/null; wait "$child"; exit 0' TERM INT
        while :; do
            {command} &
            child=$!
            wait "$child"
            sleep 1
        done ;;
    start)
        mkdir -p -m 755 /run/cumulus
        start-stop-daemon --start --oknodo --quiet --background --no-close --make-pidfile --pidfile "$pid" \\
            --startas /bin/sh -- "$0" keep </dev/null >>"$log" 2>&1 ;;
    stop) start-stop-daemon --stop --oknodo --quiet --retry 10 --remove-pidfile --pidfile "$pid" ;;
    restart | force-reload) "$0" stop; "$0" start ;;
    status) start-stop-daemon --status --pidfile "$pid" ;;
    *) echo "usage: $0 start|stop|restart|status" >&2; exit 2 ;;
esac
"""


def has_systemd() -> bool:
    """Whether this host's services are systemd's."""
    return Path("/run/systemd/system").is_dir()


def init_script(name: str, about: str, command: str) -> str:
    """The text of ``/etc/init.d/NAME`` for a command that stays in the foreground."""
    return _INIT_SCRIPT.format(name=name, about=about, command=command)


def start_anew(name: str, unit: str, script: str) -> None:
    """Write the daemon's unit, or its init script, and start it, also where an older one runs."""
    if has_systemd():
        Path(f"/etc/systemd/system/{name}.service").write_text(unit)
        run("systemctl", "daemon-reload")
        run("systemctl", "enable", name)
        run("systemctl", "restart", name)
        return
    path = Path(f"/etc/init.d/{name}")
    path.write_text(script)
    path.chmod(0o755)
    if Path("/usr/sbin/update-rc.d").exists():
        run("update-rc.d", name, "defaults")
    run(str(path), "restart")
