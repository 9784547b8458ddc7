/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the verdict from what is known of a peer. ERS's order, first match wins: approved address,
 * blocked address, approved country, blocked country, zones of kind allow, Standard zones, then QIL
 * zones. Addresses of exempt.h, and private ones with private_peers = exempt, pass before countries and zones
 * are looked at. Pure.
 */
#ifndef REPGATE_JUDGE_POLICY_H
#define REPGATE_JUDGE_POLICY_H

#include "config/config.h"
#include "judge/evidence.h"
#include "store/outcome.h"

/* outcome->zone is an index into conf->zones. */
void rg_policy_decide(const struct rg_conf *conf, const struct rg_evidence *evidence,
		      struct rg_outcome *outcome);

/* False if lists, countries or an exemption decide, so that no zone need be asked. */
bool rg_policy_needs_zones(const struct rg_evidence *evidence);

/* True if zones of this kind must be asked: QIL zones only if no other zone lists the peer. */
bool rg_policy_asks(const struct rg_conf *conf, const struct rg_evidence *evidence,
		    enum rg_class kind);

/* True if no answer that is missing can change the outcome. */
bool rg_policy_is_decided(const struct rg_conf *conf, const struct rg_evidence *evidence);

#endif
