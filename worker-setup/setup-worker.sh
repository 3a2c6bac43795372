#!/usr/bin/env bash
# Makes this host a worker of a Cumulus relay, or, with --leave, takes all of that back.
#
#   curl ... | bash -s -- --relay URL --pin 'sha256//...' --token TOKEN [--opencl] [--ssh-address HOST[:PORT]]
#   bash /opt/cumulus/worker/setup-worker.sh --leave
#
# The relay prints the line to run (%cumulus add-worker). Safe to run twice: the session key in /etc/cumulus/worker.json
# stands for a token that has been used. Settings of proxies, apt and pip are taken from the host and the environment.
# Secrets go to curl by its standard input, never as arguments.
set -u

# Read by every shell, also by one that would not understand the rest.
case ${BASH_VERSION:-} in
    [5-9].*) ;;
    *)
        echo 'cumulus: this needs bash 5 or newer. Run the line as the relay prints it, on the new host (Debian or Ubuntu).' >&2
        exit 2 ;;
esac

STATE=/etc/cumulus
ROOT=/opt/cumulus/worker
LOG=/var/log/cumulus-setup.log
LOCK=/run/cumulus-setup.lock
SOCKET=/var/run/docker.sock
OS_RELEASE=/etc/os-release
SERVICE=cumulus-chronosd
NEEDED_MIB=4096
API=api/v1
# What a node of the relay's Swarm must have at least.
DOCKER_MAJOR=25
DOCKER_MAKERS=https://download.docker.com/linux
DOCKER_KEY=/etc/apt/keyrings/cumulus-docker.asc
DOCKER_LIST=/etc/apt/sources.list.d/cumulus-docker.list
TOOLKIT_VERSION=1.19.1
TOOLKIT=https://nvidia.github.io/libnvidia-container
TOOLKIT_KEY=/etc/apt/keyrings/cumulus-nvidia-toolkit.asc
TOOLKIT_LIST=/etc/apt/sources.list.d/cumulus-nvidia-toolkit.list
LINES_OF_FAILURE=12
APT_WAIT_S=600
DOCKER_START_S=60

relay='' pin='' token='' ssh_address='' leaving='' opencl=''
work=''
terminal='' failure=/dev/stderr notes=/dev/stderr step_began=0 took='' answer_status=''
declare -A pids

export LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin${PATH:+:$PATH}

# ---- what is told ----

say() { printf 'cumulus: %s\n' "$*"; }

# Ends a step: what is wrong, and what to do.
fail() {
    printf '%s\n%s\n' "$1" "$2" >"$failure"
    exit 1
}

# A line for whoever runs this, beside the step's own.
note() { printf '%s\n' "$*" >>"$notes"; }

microseconds() { printf '%s' "${EPOCHREALTIME/[.,]/}"; }

# A line at once, from a step, whose own come at its end. No file stays open for it, which a daemon would inherit.
say_now() { { [ -z "$terminal" ] || echo; say "$*"; } >>"/proc/$$/fd/1" || true; }

# At the end of a step's process, when nothing is left of its functions.
# shellcheck disable=SC2317
note_time() { echo $(($(microseconds) - step_began)) >"$took"; }

seconds() { printf '%d.%d s' $(($1 / 1000000)) $(($1 / 100000 % 10)); }

# begin NAME WHAT COMMAND...: starts a step beside others; `finish NAME` waits for it and tells how it went.
begin() {
    local name=$1 what=$2
    shift 2
    printf '%s' "$what" >"$work/$name.what"
    (
        step_began=$(microseconds)
        failure=$work/$name.failure notes=$work/$name.notes
        export CUMULUS_FAILURE=$failure CUMULUS_NOTES=$notes
        took=$work/$name.took
        trap note_time EXIT
        set -eu -o pipefail
        "$@"
    ) </dev/null >"$work/$name.out" 2>&1 9>&- &
    pids[$name]=$!
}

finish() {
    local name=$1 status=0 took what
    what=$(cat "$work/$name.what")
    [ -z "$terminal" ] || printf 'cumulus: %s ...' "$what"
    wait "${pids[$name]}" || status=$?
    [ -z "$terminal" ] || printf '\r\033[K'
    unset "pids[$name]"
    took=$(seconds "$(cat "$work/$name.took" 2>/dev/null || echo 0)")
    { printf '== %s (%s, status %s)\n' "$what" "$took" "$status"; cat "$work/$name.out"; } >>"$LOG" 2>/dev/null
    if [ "$status" = 0 ]; then
        say "$what: $took"
        [ ! -s "$work/$name.notes" ] || sed 's/^/cumulus:   /' "$work/$name.notes"
        return
    fi
    give_up "$name" "$what" "$took"
}

step() {
    begin "$@"
    finish "$1"
}

give_up() {
    local name=$1 what=$2 took=$3 other
    {
        say "$what: FAILED after $took"
        if [ -s "$work/$name.out" ]; then tail -n "$LINES_OF_FAILURE" "$work/$name.out" | sed 's/^/cumulus:   | /'; fi
        if [ -s "$work/$name.failure" ]; then
            say "$(sed -n 1p "$work/$name.failure")"
            say "$(sed -n 2p "$work/$name.failure")"
        else
            say "Put right what it says (all of it: $LOG), then run the same line again: it goes on from there."
        fi
    } >&2
    # What runs beside it may have apt's lock: it is not broken off.
    for other in "${pids[@]}"; do wait "$other" 2>/dev/null; done
    exit 1
}

# ---- the host ----

# shellcheck disable=SC1090
distribution() { (. "$OS_RELEASE" 2>/dev/null && printf '%s' "${ID:-unknown}${VERSION_ID:+ $VERSION_ID}"); }

check_root() {
    [ "$(id -u)" = 0 ] ||
        fail "This must run as root, and you are $(id -un)." "Put sudo before bash: curl ... | sudo bash -s -- ..."
}

check_distribution() {
    local found
    found=$(distribution)
    case $found in
        'debian 12' | 'debian 13' | 'ubuntu 22.04' | 'ubuntu 24.04') ;;
        *) fail "This host runs ${found:-an unknown system}, which this script does not know." \
            "Use Debian 12 or 13, or Ubuntu 22.04 or 24.04." ;;
    esac
    command -v curl >/dev/null || fail "There is no curl here." "Install it: apt-get install curl ca-certificates"
}

# Docker needs what the containers that some providers rent out are denied.
check_rights() {
    local rights='Cumulus runs jobs in Docker containers: use a virtual machine or a machine of your own, not a rented container'
    local effective folder
    ! engine_answers || return 0
    effective=$((16#$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)))
    (((effective >> 21) & 1)) || fail "This host cannot run Docker: it is a container without CAP_SYS_ADMIN." "$rights."
    (((effective >> 12) & 1)) || fail "This host cannot run Docker: it is a container without CAP_NET_ADMIN (iptables)." "$rights."
    folder=$work/overlay
    mkdir -p "$folder"
    # shellcheck disable=SC2016
    unshare --mount sh -ec '
        mount -t tmpfs cumulus "$1"; cd "$1"; mkdir lower upper work all
        mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay all
    ' sh "$folder" || fail "This host cannot run Docker: mounting an overlay is denied here." "$rights."
    cgroups_writable || fail "This host cannot run Docker: /sys/fs/cgroup can't be written to." "$rights."
}

cgroups_writable() {
    # Where nothing is mounted, Docker's own start does that.
    grep -q ' /sys/fs/cgroup' /proc/self/mounts || return 0
    local folder=/sys/fs/cgroup
    if [ ! -e $folder/cgroup.controllers ] && [ -d $folder/pids ]; then folder=$folder/pids; fi
    mkdir $folder/cumulus-check && rmdir $folder/cumulus-check
}

check_docker() {
    local version
    command -v dockerd >/dev/null || return 0
    version=$(dockerd --version | sed 's/^Docker version //; s/,.*//')
    [ "${version%%.*}" -ge "$DOCKER_MAJOR" ] ||
        fail "The Docker of this host, $version, is too old: $DOCKER_MAJOR or newer is needed." \
            "Put a newer one in its place (the packages of Docker's makers have it), then run the same line again."
}

check_disk() {
    local free
    free=$(df --output=avail --block-size=1M "$(first_existing /var/lib/docker)" | tail -n 1)
    [ "$((free))" -ge "$NEEDED_MIB" ] ||
        fail "There is too little disk: $((free)) MiB free for /var/lib/docker, and Docker with the job images needs $NEEDED_MIB MiB." \
            "Free some, or take a host with a larger disk."
}

first_existing() {
    local path=$1
    while [ ! -e "$path" ]; do path=$(dirname "$path"); done
    printf '%s' "$path"
}

# Swarm's ports, unless it is Swarm itself that has them.
check_ports() {
    local entry
    ! in_swarm || return 0
    for entry in tcp:7946 udp:7946 udp:4789; do
        ! port_taken "${entry%:*}" "${entry#*:}" ||
            fail "Port ${entry#*:}/${entry%:*}, which Docker's Swarm needs, is in use on this host." \
                "Find out by what (ss -lnp), and end that."
    done
}

port_taken() {
    local hex state=0A
    hex=$(printf '%04X' "$2")
    [ "$1" = tcp ] || state=07
    cat "/proc/net/$1" "/proc/net/${1}6" 2>/dev/null | awk -v port=":$hex" -v state="$state" '
        substr($2, length($2) - 4) == port && $4 == state { found = 1 } END { exit !found }'
}

check_gpu() {
    ! has_nvidia || [ -e /proc/driver/nvidia/version ] ||
        fail "This host has an NVIDIA GPU and no driver for it." \
            "Install the driver of your distribution (for Ubuntu: ubuntu-drivers install --gpgpu), restart, run the line again."
}

has_nvidia() {
    local device
    [ ! -e /proc/driver/nvidia/version ] || return 0
    for device in /sys/bus/pci/devices/*; do
        if [ "$(cat "$device/vendor" 2>/dev/null)" = 0x10de ]; then
            case $(cat "$device/class") in 0x03*) return 0 ;; esac
        fi
    done
    return 1
}

check_host() {
    check_root
    check_distribution
    check_rights
    check_docker
    check_disk
    check_ports
    check_gpu
}

# ---- the relay ----

saved() { sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' "$STATE/worker.json" 2>/dev/null || true; }

# One value of a JSON object that the relay answered with.
told() { sed -n 's/.*"'"$1"'": *"\(\([^"\\]\|\\.\)*\)".*/\1/p' "$2" | sed 's/\\\(.\)/\1/g' | head -n 1; }

# ask METHOD PATH BEARER OUTPUT [BODY]: prints the status of the answer. Secrets go by standard input.
ask() {
    local body=${5:-}
    body=${body//\\/\\\\}
    {
        printf 'url = "%s/cumulus/%s"\nrequest = "%s"\noutput = "%s"\n' "${relay%/}" "$2" "$1" "$4"
        printf 'header = "Authorization: Bearer %s"\nwrite-out = "%%{http_code}"\n' "$3"
        printf 'silent\nshow-error\nconnect-timeout = 10\nmax-time = 120\n'
        [ -z "$pin" ] || printf 'insecure\npinnedpubkey = "%s"\n' "$pin"
        [ -z "$body" ] || printf 'header = "Content-Type: application/json"\ndata = "%s"\n' "${body//\"/\\\"}"
    } | curl --config -
}

explain_curl() {
    local again='then run the same line again'
    case $1 in
        6) fail "The relay's name in $relay is not known here." "See to this host's DNS, $again." ;;
        7 | 28 | 52 | 56)
            fail "The relay does not answer at $relay." \
                "See that it runs, and that this host may reach that address and port (firewall, security group), $again." ;;
        35 | 51 | 60)
            fail "The certificate of $relay is not one that this host trusts." \
                "Use the line as the relay prints it (%cumulus add-worker), or add the authority to this host's certificates; see that its clock is right." ;;
        90) fail "What answers at $relay is not the relay that made this line: its key is another one." \
            "Make a new line (%cumulus add-worker). If that does not help, something between here and there pretends to be the relay." ;;
        *) fail "The relay at $relay could not be asked (curl ends with $1)." "Put right what curl says, $again." ;;
    esac
}

asked() {
    local status=0
    answer_status=$(ask "$@") || status=$?
    [ "$status" = 0 ] || explain_curl "$status"
}

check_arguments() {
    local known
    known=$(saved relay)
    [ -n "$relay" ] || relay=$known
    [ -n "$pin" ] || [ "$relay" != "$known" ] || pin=$(saved pin)
    [[ $relay =~ ^https?://[][A-Za-z0-9._:/-]+$ ]] ||
        fail "--relay must be the relay's address, such as https://192.0.2.1:8443." "Use the line as the relay prints it."
    [[ -z $pin || $pin =~ ^sha256//[A-Za-z0-9+/=]+$ ]] ||
        fail "--pin must look like sha256//BASE64=." "Use the line as the relay prints it, with its quotes."
    [[ -z $ssh_address || $ssh_address =~ ^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]+)?$ ]] ||
        fail "--ssh-address $ssh_address is not HOST or HOST:PORT." "Give a name or an address, one of IPv6 in brackets: [2001:db8::1]:22"
    [[ $token =~ ^[A-Za-z0-9_.-]*$ ]] || fail "--token has characters that no token has." "Use the line as the relay prints it."
    [ -z "$known" ] || [ "$known" = "$relay" ] ||
        fail "This host is a worker of $known already." "Let it leave there first: bash $ROOT/setup-worker.sh --leave"
    [ -n "$token" ] || [ -n "$known" ] ||
        fail "--token is missing, and this host has not been enrolled before." "Make a line with a token: %cumulus add-worker"
}

save_key() {
    mkdir -p "$STATE"
    chmod 755 "$STATE"
    (umask 077 && printf '{"relay": "%s", "pin": "%s", "session_key": "%s"}\n' "$relay" "$pin" "$1" >"$STATE/worker.json.new") &&
        mv "$STATE/worker.json.new" "$STATE/worker.json"
}

# Enrols with the session key that is there, else with the token and a new one, which is saved before it is used.
enrol() {
    local key body
    key=$(saved session_key)
    if [ -n "$key" ]; then
        asked POST $API/enrolment "$key" "$work/terms.json" "$(enrolment_body "$key")"
        case $answer_status in
            2*) return ;;
            # A first run may have been broken off before the relay had the key.
            401 | 403) ;;
            *) refused ;;
        esac
        [ -n "$token" ] || refused
    fi
    [ -n "$key" ] && [ -z "$(saved node_id)" ] || key=$(od -An -vtx1 -N32 /dev/urandom | tr -d ' \n')
    save_key "$key"
    asked POST $API/enrolment "$token" "$work/terms.json" "$(enrolment_body "$key")"
    case $answer_status in 2*) ;; *) refused ;; esac
}

enrolment_body() { printf '{"session_key": "%s", "hostname": "%s"}' "$1" "$(uname -n | tr -cd 'A-Za-z0-9._-')"; }

refused() {
    local message next
    message=$(told message "$work/terms.json")
    next=$(told next "$work/terms.json")
    fail "The relay refuses: ${message:-it answers with status $answer_status.}" \
        "${next:-Make a new line: %cumulus add-worker}"
}

# Before anything is installed; how well this host is in the relay's own Swarm is looked at when it joins.
check_swarm() {
    local manager
    in_swarm || return 0
    manager=$(told address "$work/terms.json")
    joined_by_us || engine http://engine/info | grep -qF "\"Addr\":\"$manager\"" ||
        fail "This host is in another Swarm already, not in that of $manager." \
            "If it is not needed there: docker swarm leave (with --force for a manager), then run the same line again."
}

fetch_package() {
    local wanted found
    asked GET $API/enrolment/package "$(saved session_key)" "$work/package.zip"
    wanted=$(told package_sha256 "$work/terms.json")
    found=$(sha256sum "$work/package.zip" | cut -d ' ' -f 1)
    [ "$answer_status $found" = "200 $wanted" ] ||
        fail "What the relay sent is not the worker's package (status $answer_status)." "Run the same line again."
    rm -rf "$ROOT/new" "$ROOT/old"
    mkdir -p "$ROOT/new"
    python3 -m zipfile -e "$work/package.zip" "$ROOT/new"
    # For --leave, also when the relay is away.
    asked GET setup-worker.sh "$(saved session_key)" "$ROOT/new/setup-worker.sh"
    [ "$answer_status" = 200 ] || fail "The relay does not send this script (status $answer_status)." "Run the same line again."
    mv "$ROOT/new/setup-worker.sh" "$ROOT/setup-worker.sh"
    [ ! -e "$ROOT/cumulus_worker" ] || mv "$ROOT/cumulus_worker" "$ROOT/old"
    mv "$ROOT/new/cumulus_worker" "$ROOT/cumulus_worker"
    rm -rf "$ROOT/new" "$ROOT/old"
    chmod -R u=rwX,go=rX "$ROOT"
}

# ---- packages ----

# Waits while somebody else is at it, as unattended-upgrades is on a host that was just started.
apt() {
    local last=$((SECONDS + APT_WAIT_S)) status holder said=''
    while :; do
        status=0
        apt_once "$@" >"$work/apt" 2>&1 || status=$?
        cat "$work/apt"
        if [ "$status" = 0 ] || [ "$SECONDS" -ge "$last" ] || ! grep -q '^E: Could not get lock' "$work/apt"; then
            return "$status"
        fi
        holder=$(sed -n 's/.* It is held by //p' "$work/apt" | head -n 1)
        [ -n "$said" ] || say_now "apt is in use by ${holder:-somebody else}: waiting for its end, at most $((APT_WAIT_S / 60)) minutes"
        said=yes
        sleep 2
    done
}

# Quick, without documentation, and without what is only recommended.
apt_once() {
    apt-get -q -o Acquire::Retries=3 -o Acquire::Languages=none -o Dpkg::Use-Pty=0 \
        -o Dpkg::Options::=--force-unsafe-io -o Dpkg::Options::=--force-confold \
        -o Dpkg::Options::=--path-exclude='/usr/share/man/*' -o Dpkg::Options::=--path-exclude='/usr/share/doc/*' \
        -o Dpkg::Options::=--path-include='/usr/share/doc/*/copyright' "$@"
}

installed() { dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^ii'; }

all_packages() { dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | sed -n 's/^ii *//p' | sort; }

# Prints those of the packages that are not there.
lacking() {
    local package
    for package in "$@"; do
        case $package in
            # Docker may come from its makers, and sshd be another's.
            docker.io) command -v dockerd >/dev/null || echo "$package" ;;
            openssh-server) [ -x /usr/sbin/sshd ] || echo "$package" ;;
            *) installed "$package" || echo "$package" ;;
        esac
    done
}

# Installs, and notes what was not there before, so that --leave can take it away.
apt_install() {
    [ -e "$STATE/packages.before" ] ||
        { all_packages >"$STATE/packages.new" && mv "$STATE/packages.new" "$STATE/packages.before"; }
    apt install -y --no-install-recommends "$@"
    note_packages
}

# Also after a run that was broken off between the two.
note_packages() {
    [ -e "$STATE/packages.before" ] || return 0
    all_packages | comm -13 "$STATE/packages.before" - >>"$STATE/packages"
    sort -u -o "$STATE/packages" "$STATE/packages"
    rm "$STATE/packages.before"
}

apt_update() {
    apt update || fail "apt-get update fails." "Put right what it says above (network, proxy, sources), then run the same line again."
}

# add_source KEY_FILE KEY_URL LIST_FILE SOURCE INSTEAD: packages of another maker, signed by its own key.
add_source() {
    mkdir -p "$(dirname "$1")"
    curl -fsSL --retry 3 --connect-timeout 10 -o "$1" "$2" ||
        fail "The key of the packages at ${2%/*} could not be fetched." "Let this host reach that address$5, then run the same line again."
    printf 'deb [arch=%s signed-by=%s] %s\n' "$(dpkg --print-architecture)" "$1" "$4" >"$3"
    apt_update
}

# The distribution's own is used where it is new enough.
own_docker_is_new() {
    local version
    version=$(apt-cache policy docker.io | sed -n 's/^ *Candidate: //p')
    version=${version#*:}
    [[ $version =~ ^[0-9]+ ]] && [ "${BASH_REMATCH[0]}" -ge "$DOCKER_MAJOR" ]
}

add_docker_source() {
    local id codename
    id=$(distribution | cut -d ' ' -f 1)
    # shellcheck disable=SC1090
    codename=$(. "$OS_RELEASE" && echo "$VERSION_CODENAME")
    add_source "$DOCKER_KEY" "$DOCKER_MAKERS/$id/gpg" "$DOCKER_LIST" "$DOCKER_MAKERS/$id $codename stable" \
        ", or use a distribution with a newer Docker of its own (Debian 13)"
}

toolkit_is_there() {
    local version
    version=$(dpkg-query -W -f '${Version}' nvidia-container-toolkit 2>/dev/null) || return 1
    dpkg --compare-versions "${version:-0}" ge "$TOOLKIT_VERSION"
}

# Older ones show every GPU to every container.
install_toolkit() {
    if ! toolkit_is_there; then
        # shellcheck disable=SC2016
        add_source "$TOOLKIT_KEY" "$TOOLKIT/gpgkey" "$TOOLKIT_LIST" "$TOOLKIT/stable/deb/\$(ARCH) /" ""
        apt_install nvidia-container-toolkit
        toolkit_is_there || fail "The NVIDIA container toolkit here is older than $TOOLKIT_VERSION, which lets containers see GPUs that are not theirs." \
            "Remove other sources of it from /etc/apt/sources.list.d, then run the same line again."
    fi
    [ -e "$STATE/daemon.json.before" ] || cp /etc/docker/daemon.json "$STATE/daemon.json.before" 2>/dev/null ||
        echo '{}' >"$STATE/daemon.json.before"
    nvidia-ctk runtime configure --runtime=docker --set-as-default
    # Docker takes up runtimes and the default one without a restart, which would end the host's own containers.
    if [ -s /var/run/docker.pid ]; then kill -HUP "$(cat /var/run/docker.pid)"; fi
}

install_venv() {
    local packages=()
    # Where the distribution's C library is older than Chronos' own, it loads as a stub.
    if dpkg --compare-versions "$(ldd --version | sed -n '1s/.* //p')" ge 2.38; then packages+=(chronos-gpu); else
        note "Chronos' library needs glibc 2.38, which this distribution lacks: bookings are kept by Cumulus' own ledger alone."
    fi
    ! has_nvidia || packages+=(nvidia-ml-py)
    [ "${#packages[@]}" -gt 0 ] || return 0
    if ! { [ -x "$ROOT/venv/bin/pip" ] || python3 -m venv "$ROOT/venv"; } ||
        ! "$ROOT/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check --only-binary :all: "${packages[@]}"; then
        rm -rf "$ROOT/venv"
        note "pip could not get ${packages[*]} (see $LOG): bookings are kept by Cumulus' own ledger alone."
    fi
}

# ---- Docker ----

engine() { curl -sS --max-time "${ENGINE_S:-30}" --unix-socket "$SOCKET" "$@"; }

engine_answers() { [ -S "$SOCKET" ] && [ "$(ENGINE_S=5 engine http://engine/_ping 2>/dev/null)" = OK ]; }

# Well or not.
in_swarm() { engine_answers && engine http://engine/info | grep -qE '"LocalNodeState":"(active|pending|error|locked)"'; }

# Whether that is the Swarm that Docker was let join here: as the node that is kept, or by a join that was broken off.
joined_by_us() {
    local node
    node=$(saved node_id)
    if [ -z "$node" ]; then [ -n "$(saved joining)" ]; else engine http://engine/info | grep -qF "\"NodeID\":\"$node\""; fi
}

start_docker() {
    local last=$((SECONDS + DOCKER_START_S))
    if ! engine_answers; then
        if [ -d /run/systemd/system ]; then
            systemctl enable --now docker || true
        elif [ -x /etc/init.d/docker ] && service docker start && pgrep_dockerd; then
            :
        elif ! pgrep_dockerd; then
            # Docker's own script gives up where it may not raise its limits.
            start-stop-daemon --start --background --no-close --make-pidfile --pidfile /var/run/docker-ssd.pid \
                --exec "$(command -v dockerd)" -- -p /var/run/docker.pid >>/var/log/docker.log 2>&1
        fi
    fi
    until engine_answers; do
        if [ "$SECONDS" -ge "$last" ] || { [ ! -d /run/systemd/system ] && ! pgrep_dockerd && sleep 1 && ! pgrep_dockerd; }; then
            if [ -d /run/systemd/system ]; then journalctl -u docker --no-pager -n 8 -o cat; else tail -n 8 /var/log/docker.log; fi || true
            fail "Docker does not start on this host: its last lines are above." \
                "Put right what they say, then run the same line again. In a container that was rented it may be impossible: use a virtual machine."
        fi
        sleep 0.1
    done
}

pgrep_dockerd() { grep -qsx dockerd /proc/[0-9]*/comm; }

# ---- the steps that are the package's ----

setup() {
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$ROOT python3 -m cumulus_worker.setup "$@"
}

# ---- taking it all back ----

leave_relay() {
    local node=''
    [ -n "$(saved session_key)" ] || return 0
    relay=$(saved relay) pin=$(saved pin)
    ! engine_answers || node=$(engine http://engine/info | sed -n 's/.*"NodeID":"\([a-z0-9]*\)".*/\1/p')
    # In a step of its own: whatever comes of it, the rest goes on.
    (failure=$work/unasked && asked POST $API/enrolment/leave "$(saved session_key)" "$work/left.json" "{\"node_id\": \"$node\"}" &&
        case $answer_status in 2* | 401 | 403) ;; *) exit 1 ;; esac) ||
        note "The relay at $relay could not be told. Remove this host there: docker node rm --force ${node:-$(uname -n)}"
}

leave_swarm() {
    engine_answers || return 0
    [ -n "$(saved session_key)" ] || return 0
    if in_swarm && joined_by_us; then engine -f -X POST 'http://engine/swarm/leave?force=true'; fi
    local image volume
    while read -r image; do
        engine -X DELETE "http://engine/images/$image?force=true" || true
    done < <(cat "$STATE/images" 2>/dev/null)
    for volume in $(engine 'http://engine/volumes?filters=%7B%22label%22%3A%5B%22io.cumulus.relay%22%5D%7D' |
        grep -o '"Name":"[^"]*"' | cut -d '"' -f 4); do
        engine -X DELETE "http://engine/volumes/$volume?force=true" || true
    done
}

remove_worker() {
    if [ -d /run/systemd/system ]; then
        systemctl disable --now "$SERVICE" 2>/dev/null || true
    elif [ -x "/etc/init.d/$SERVICE" ]; then
        service "$SERVICE" stop || true
    fi
    rm -f "/etc/systemd/system/$SERVICE.service" "/etc/init.d/$SERVICE" /etc/rc?.d/[SK]??"$SERVICE"
    if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
    # First the relay's way in: its connection may still stand, and comes again.
    rm -rf /var/lib/cumulus
    if id cumulus >/dev/null 2>&1; then
        stat -c '%U %n' /proc/[0-9]* 2>/dev/null | sed -n 's|^cumulus /proc/||p' | xargs -r kill -KILL 2>/dev/null || true
        userdel --force cumulus
    fi
    if getent group cumulus >/dev/null; then groupdel cumulus; fi
    rm -f /usr/local/bin/chronos_cli /usr/local/bin/cumulus-probe
    rm -rf "$ROOT" /run/cumulus
    rmdir /opt/cumulus 2>/dev/null || true
}

restore_docker_settings() {
    [ -e "$STATE/daemon.json.before" ] || return 0
    cp "$STATE/daemon.json.before" /etc/docker/daemon.json
    if [ -s /var/run/docker.pid ]; then kill -HUP "$(cat /var/run/docker.pid)"; fi
}

# What was there before stays, and so does what something needs that came later.
remove_packages() {
    local ours extra docker_was_ours=''
    note_packages
    mapfile -t ours < <(comm -12 <(sort -u "$STATE/packages" 2>/dev/null) <(all_packages))
    if [ "${#ours[@]}" -gt 0 ]; then
        extra=$(apt-get -s purge "${ours[@]}" | sed -n 's/^Purg \([^ ]*\).*/\1/p' | sort -u | comm -23 - "$STATE/packages")
        if [ -n "$extra" ]; then
            note "The packages that were installed stay, since others need them: $(echo "$extra" | tr '\n' ' ')"
        elif grep -qxE 'docker\.io|docker-ce' "$STATE/packages" && has_containers; then
            note "Docker and what was installed with it stay, since it has containers of others: docker ps --all"
        else
            ! grep -qxE 'docker\.io|docker-ce' "$STATE/packages" || docker_was_ours=yes
            if [ -n "$docker_was_ours" ]; then stop_docker; fi
            apt purge -y "${ours[@]}"
            [ -z "$docker_was_ours" ] || rm -rf /var/lib/docker/* /var/lib/containerd /var/log/docker.log
        fi
    fi
    rm -f "$TOOLKIT_LIST" "$TOOLKIT_KEY" "$DOCKER_LIST" "$DOCKER_KEY"
    rm -rf "$STATE"
}

# Those of jobs are gone with the Swarm.
has_containers() { engine_answers && [ "$(engine 'http://engine/containers/json?all=true')" != '[]' ]; }

stop_docker() {
    if [ -d /run/systemd/system ]; then systemctl stop docker.socket docker || true; fi
    local pid tries=300
    pid=$(cat /var/run/docker.pid 2>/dev/null) || return 0
    kill "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null && [ "$tries" -gt 0 ]; do tries=$((tries - 1)); sleep 0.1; done
}

leave() {
    step root "checking this host" check_root
    [ -d "$STATE" ] || { say "this host is no worker; nothing to do"; return; }
    step relay "telling the relay" leave_relay
    step swarm "leaving the Swarm, and removing its images" leave_swarm
    step worker "removing the worker's files, its service and its user" remove_worker
    step settings "giving Docker its settings back" restore_docker_settings
    step packages "removing the packages that were installed for it" remove_packages
    say "this host is no worker any more"
}

# ---- becoming a worker ----

arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
            --relay) relay=${2:-}; shift ;;
            --pin) pin=${2:-}; shift ;;
            --token) token=${2:-}; shift ;;
            --ssh-address) ssh_address=${2:-}; shift ;;
            --opencl) opencl=yes ;;
            --leave) leaving=yes ;;
            -h | --help) say "usage: setup-worker.sh --relay URL [--pin PIN] --token TOKEN [--opencl] [--ssh-address HOST[:PORT]] | --leave"; exit 0 ;;
            *) say "no such option: $1 (there are --relay, --pin, --token, --opencl, --ssh-address, --leave)" >&2; exit 2 ;;
        esac
        shift || { say "the last option lacks its value" >&2; exit 2; }
    done
}

join() {
    local wanted device_packages
    step host "checking this host" check_host
    step arguments "reading what is known of the relay" check_arguments
    # Steps are processes of their own: what that one has read of the last run is read here again.
    [ -n "$relay" ] || { relay=$(saved relay); }
    [ -n "$pin" ] || [ "$relay" != "$(saved relay)" ] || pin=$(saved pin)
    step enrol "enrolling at $relay" enrol
    if [ -e "$STATE/packages.before" ]; then step noted "noting what a run that was broken off has installed" note_packages; fi
    if in_swarm; then step other "checking which Swarm this host is in" check_swarm; fi

    mapfile -t wanted < <(lacking docker.io iptables python3 python3-venv openssh-server)
    mapfile -t device_packages < <([ -z "$opencl" ] || lacking pocl-opencl-icd ocl-icd-libopencl1)
    if [ $((${#wanted[@]} + ${#device_packages[@]})) -gt 0 ]; then step lists "reading the lists of packages" apt_update; fi
    if [ "${wanted[0]:-}" = docker.io ] && ! own_docker_is_new; then
        step makers "adding the packages of Docker's makers: the distribution's Docker is older than $DOCKER_MAJOR" add_docker_source
        wanted[0]=docker-ce
    fi
    if [ "${#wanted[@]}" -gt 0 ]; then step packages "installing ${wanted[*]}" apt_install "${wanted[@]}"; fi
    if has_nvidia; then step toolkit "installing the NVIDIA container toolkit" install_toolkit; fi

    begin docker "starting Docker" start_docker
    if [ "${#device_packages[@]}" -gt 0 ]; then
        begin opencl "installing ${device_packages[*]} (beside what follows)" apt_install "${device_packages[@]}"
    fi
    step package "fetching the worker's package" fetch_package
    begin venv "installing Chronos" install_venv
    step account "making the SSH user cumulus, for chronos_cli and probe only" setup account "$work/terms.json"
    finish docker
    begin images "loading the job images" setup images "$work/terms.json"
    step swarm "joining the Swarm" setup swarm "$work/terms.json"
    finish venv
    [ -z "${pids[opencl]:-}" ] || finish opencl
    step chronosd "starting chronosd" setup chronosd
    finish images
    step ready "telling the relay, which looks in by SSH" setup ready "$ssh_address"
}

# Two at once would each make a key, and the token be good for neither. Others may not hold the lock instead.
alone() {
    umask 077
    if { exec 9>"$LOCK"; } 2>/dev/null; then
        flock -n 9 || { say "this script is at work on this host already; wait for its end" >&2; exit 1; }
    fi
    umask 022
}

broken_off() {
    [ -z "$terminal" ] || echo
    say "broken off; the same line goes on from there" >&2
    exit 130
}

main() {
    local began
    began=$(microseconds)
    arguments "$@"
    [ ! -t 1 ] || terminal=yes
    # Others write to that file too: nothing there may be written over.
    [ ! -f "/proc/$$/fd/1" ] || exec >>"/proc/$$/fd/1"
    alone
    trap '[ -z "$work" ] || rm -rf "$work"' EXIT
    trap broken_off INT TERM
    if ! { work=$(mktemp -d "${TMPDIR:-/tmp}/cumulus-setup.XXXXXX") && head -c 1M /dev/zero >"$work/room" && rm "$work/room"; }; then
        say "${TMPDIR:-/tmp} is full or can't be written to. Make room there, then run the same line again." >&2
        exit 1
    fi
    touch "$LOG" 2>/dev/null && chmod 600 "$LOG" || LOG=/dev/null
    if [ -n "$leaving" ]; then
        leave
    else
        join
        say "this host is a worker, ready in $(seconds $(($(microseconds) - began)))"
    fi
}

# Nothing runs before all of it has arrived; nor where a test reads this file for its functions.
if [ "${BASH_SOURCE[0]:-$0}" = "$0" ]; then
    main "$@" </dev/null
fi
