# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Completion of ferryctl for bash.

_ferryctl() {
	local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} words

	if [ "$COMP_CWORD" -eq 1 ]; then
		words="$(ferryctl help | sed -n '/^commands:/,/^$/ s/^  \([a-z]*\) .*/\1/p') --version"
	elif [[ $word == -* ]]; then
		words=$(ferryctl help "$command" 2> /dev/null | sed -n 's/^  \(-., \)\{0,1\}\(--[a-z]*\).*/\2/p')
	elif [ "$command" = help ]; then
		words=$(ferryctl help | sed -n '/^commands:/,/^$/ s/^  \([a-z]*\) .*/\1/p')
	elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == --output || ${COMP_WORDS[COMP_CWORD - 1]} == -o ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
	else
		words=$(ferryctl list --all --json 2> /dev/null | sed -n 's/.*"address": "\(.*\)".*/\1/p')
		# A colon begins a new word in bash: leave out the domain and complete after it.
		if [[ ${COMP_WORDS[COMP_CWORD - 1]} == : || $word == : ]]; then
			return
		fi
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _ferryctl ferryctl
