/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random numbers that nobody can guess. From getrandom(2): arc4random(3) came with glibc 2.36. */
#ifndef REPGATE_BASE_RANDOM_H
#define REPGATE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Fills size bytes. May wait for the kernel's generator shortly after a boot. Ends the process if the kernel
 * has no random numbers (a seccomp filter): nothing is safe without them. In any thread.
 */
void rg_random_fill(void *to, size_t size);

uint32_t rg_random_number(void);

#endif
