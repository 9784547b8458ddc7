# SPDX-License-Identifier: GPL-2.0-or-later
#
# Bash completion of repgatectl. It asks the program itself: the commands come from --help, settings
# and their values from `repgatectl settings`, zones from the running agent.

# Lines of "repgatectl settings KEY" are "title value".
_repgatectl_field() {
	repgatectl settings "$1" 2>/dev/null | sed -n "s/^$2  *//p"
}

_repgatectl_commands() {
	repgatectl --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p'
}

_repgatectl_zones() {
	repgatectl zones 2>/dev/null | awk 'NR > 1 && /^[^ ]/ { print $1 }'
}

# The keys that `repgatectl set` takes, those of single zones too.
_repgatectl_keys() {
	repgatectl settings 2>/dev/null | awk '/^[^ ]/ && $2 == "set" { print $1 }' | sed 's/^ers\.//; /^zones\./d'
	_repgatectl_zones | sed 's/$/.action/'
}

# Only words can be completed: "drop, reset"; not bounds such as "1 to 63".
_repgatectl_values() {
	local key=$1

	case $key in
	*.action) _repgatectl_field standard_action values && _repgatectl_field qil_action values ;;
	*) _repgatectl_field "$key" values ;;
	esac | grep -v ' to ' | tr -d ',' | tr ' ' '\n' | grep -x '[a-z]*' | sort -u
}

_repgatectl() {
	local current=${COMP_WORDS[COMP_CWORD]} command='' arguments=0 words='' i

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket | --config) i=$((i + 1)) ;;
		-*) ;;
		*)
			[ -n "$command" ] && arguments=$((arguments + 1))
			[ -z "$command" ] && command=${COMP_WORDS[i]}
			;;
		esac
	done
	case $command:$arguments in
	:0) words=$(_repgatectl_commands) ;;
	set:0) words=$(_repgatectl_keys) ;;
	set:1) words=$(_repgatectl_values "${COMP_WORDS[COMP_CWORD - 1]}") ;;
	settings:0) words=$(repgatectl settings 2>/dev/null | awk 'NR > 1 && /^[^ ]/ { print $1 }') ;;
	help:0) words=$(_repgatectl_commands) ;;
	flush:0) words="all $(_repgatectl_zones)" ;;
	report:0) words='day week month' ;;
	list:0) words='approved blocked' ;;
	monitor:0) words='on off' ;;
	test-config:0) mapfile -t COMPREPLY < <(compgen -f -- "$current") && return ;;
	esac
	case $current in
	-*) words='--socket --config --json --help --version --check --follow --watch --store --save --force --for --comment' ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _repgatectl repgatectl
