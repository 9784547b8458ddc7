# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# testbed.sh - a mail host behind repgate and a network full of senders
#
# The end-to-end tests, the load tests, the bench and the demo begin with
#
#	. "$(dirname "$0")/../testbed/testbed.sh"
#	testbed_reexec "$0" "$@"
#	testbed_up
#
# and then start what they need: zones_start, postfix_start, repgate_start.
#
#	  namespace clients                          namespace mail
#	+----------------------------+            +----------------------------+
#	| swaks, syn_client          |            | Postfix    :25             |
#	| from any address of        |            |   ^                        |
#	|   10.21.0.0/16             |            | repgate on mx0             |
#	|   198.51.100.0/24          |            |   |                        |
#	|   203.0.113.0/24           |            | dns_delay  127.0.0.1:5354  |
#	|   2001:db8:21::/48         |            |   |        (if a test      |
#	|                            |            |   v         wants it)      |
#	|              192.0.2.1  cl0 ============ mx0  192.0.2.25             |
#	|          2001:db8:25::1    |    veth    |      2001:db8:25::25       |
#	|                            |            | unbound    127.0.0.1:53    |
#	|                            |            | rbldnsd    127.0.0.1:5300  |
#	+----------------------------+            +----------------------------+
#
# Everything lives in private mount, PID and network namespaces. Named network
# namespaces, pins, files and processes all end with the script, however it
# ends. Hence no function here cleans up.

set -euo pipefail
export LC_ALL=C

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$(cd "${BUILD:-$TOP/.build}" && pwd)

# The directory of all files of the testbed (a tmpfs).
TESTBED=/run/testbed
# The mail host's addresses, and the clients' ends of the link.
MX4=192.0.2.25
MX6=2001:db8:25::25
CLIENTS4=192.0.2.1
CLIENTS6=2001:db8:25::1

# A made-up ERS activation code, and the label that it becomes in zone names.
ERS_CODE=RG-TEST-0000-CODE
ERS_LABEL=rgtest0000code
ERS_STANDARD=r.mail-abuse.com
ERS_QIL=q.mail-abuse.com

here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source-path=SCRIPTDIR source=checks.sh
. "$here/checks.sh"
# shellcheck source-path=SCRIPTDIR source=hosts.sh
. "$here/hosts.sh"
# shellcheck source-path=SCRIPTDIR source=zones.sh
. "$here/zones.sh"
# shellcheck source-path=SCRIPTDIR source=mail.sh
. "$here/mail.sh"
# shellcheck source-path=SCRIPTDIR source=agent.sh
. "$here/agent.sh"
unset here
