#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_attack.sh - the short form of tests/load/test_attack.sh: a minute of attacks
ATTACK_SECONDS=${ATTACK_SECONDS:-45} exec "$(dirname "$0")/../load/test_attack.sh"
