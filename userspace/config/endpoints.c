/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/endpoints.h"

#include "config/reader.h"

#include <arpa/inet.h>
#include <net/if.h>

static int read_interface(struct rg_reader *reader, const struct rg_key *key,
			  const struct rg_node *node, const char *text)
{
	struct rg_conf *conf = reader->conf;

	(void)key;
	if (!*text || strlen(text) >= IFNAMSIZ || strpbrk(text, "/: \t"))
		return rg_reader_refuse(reader, node, "\"%s\" is not an interface name", text);
	for (unsigned int i = 0; i < conf->interface_count; i++)
		if (!strcmp(conf->interfaces[i], text))
			return rg_reader_refuse(reader, node, "interface \"%s\" is named twice",
						text);
	conf->interfaces[conf->interface_count] = strdup(text);
	if (!conf->interfaces[conf->interface_count])
		return rg_reader_refuse(reader, node, "out of memory");
	conf->interface_count++;
	return 0;
}

int rg_endpoints_read_interfaces(struct rg_reader *reader, const struct rg_key *key,
				 const struct rg_node *node)
{
	return rg_reader_strings(reader, key, node, read_interface);
}

bool rg_endpoints_same_interfaces(const void *a, const void *b)
{
	const struct rg_conf *one = a, *other = b;

	if (one->interface_count != other->interface_count)
		return false;
	for (unsigned int i = 0; i < one->interface_count; i++)
		if (strcmp(one->interfaces[i], other->interfaces[i]) != 0)
			return false;
	return true;
}

int rg_endpoints_read_ports(struct rg_reader *reader, const struct rg_key *key,
			    const struct rg_node *node)
{
	struct rg_conf *conf = reader->conf;
	int err;

	if (rg_node_type(node) != RG_NODE_LIST)
		return rg_reader_refuse(reader, node,
					"ports must be a list of numbers, as in [ 25 ]");
	err = rg_reader_list(reader, key, node);
	if (err)
		return err;
	for (unsigned int i = 0; i < rg_node_count(node); i++) {
		long long number = rg_node_number(rg_node_at(node, i));

		if (number < 1 || number > 65535)
			return rg_reader_refuse(reader, node,
						"ports: entry %u is not a port (1 to 65535)", i + 1);
		conf->ports[i] = (uint16_t)number;
	}
	conf->port_count = rg_node_count(node);
	return 0;
}

/*
 * Resolvers that anybody may use. DNS lists refuse their questions, or answer them with an error code, because
 * they can't tell who asks.
 */
static bool is_public(const struct sockaddr_storage *resolver)
{
	static const char *const addresses[] = {
		/* Google */
		"8.8.8.8",
		"8.8.4.4",
		"2001:4860:4860::8888",
		"2001:4860:4860::8844",
		/* Cloudflare */
		"1.1.1.1",
		"1.0.0.1",
		"1.1.1.2",
		"1.0.0.2",
		"1.1.1.3",
		"1.0.0.3",
		"2606:4700:4700::1111",
		"2606:4700:4700::1001",
		"2606:4700:4700::1112",
		"2606:4700:4700::1002",
		"2606:4700:4700::1113",
		"2606:4700:4700::1003",
		/* Quad9 */
		"9.9.9.9",
		"149.112.112.112",
		"9.9.9.10",
		"149.112.112.10",
		"9.9.9.11",
		"149.112.112.11",
		"2620:fe::fe",
		"2620:fe::9",
		"2620:fe::10",
		"2620:fe::fe:10",
		"2620:fe::11",
		"2620:fe::fe:11",
		/* OpenDNS */
		"208.67.222.222",
		"208.67.220.220",
		"208.67.222.123",
		"208.67.220.123",
		"2620:119:35::35",
		"2620:119:53::53",
		/* AdGuard, Level 3, Yandex, DNS.SB, DNS4EU */
		"94.140.14.14",
		"94.140.15.15",
		"2a10:50c0::ad1:ff",
		"2a10:50c0::ad2:ff",
		"4.2.2.1",
		"4.2.2.2",
		"77.88.8.8",
		"77.88.8.1",
		"185.222.222.222",
		"45.11.45.11",
		"86.54.11.1",
		"86.54.11.100",
		"86.54.11.200",
	};
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)resolver;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)resolver;
	bool is_v4 = resolver->ss_family == AF_INET;
	struct in6_addr addr;

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		if (inet_pton(resolver->ss_family, addresses[i], &addr) != 1)
			continue;
		if (!memcmp(&addr, is_v4 ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr,
			    is_v4 ? sizeof(v4->sin_addr) : sizeof(v6->sin6_addr)))
			return true;
	}
	return false;
}

int rg_endpoints_read_resolver(struct rg_reader *reader, const struct rg_key *key,
			       const struct rg_node *node)
{
	int err = rg_reader_by_type(reader, key, node, reader->conf);

	if (err)
		return err;
	if (rg_value_parse_endpoint(reader->conf->resolver_text, &reader->conf->resolver))
		return rg_reader_refuse(reader, node,
					"resolver = \"%s\" is not an address with an optional "
					"port, as in \"127.0.0.1:53\" or \"[::1]:53\"",
					reader->conf->resolver_text);
	if (is_public(&reader->conf->resolver))
		fprintf(reader->warnings,
			"resolver = \"%s\" is a public one, and DNS lists refuse those: run a "
			"resolver of your own, such as unbound on 127.0.0.1\n",
			reader->conf->resolver_text);
	return 0;
}

/* "::1" is an address without a port, though it has colons; "[::1]:9125" has one. */
static bool has_port(const char *text)
{
	const char *colon = strrchr(text, ':');

	return colon && (colon == strchr(text, ':') || (colon > text && colon[-1] == ']'));
}

int rg_endpoints_read_metrics(struct rg_reader *reader, const struct rg_key *key,
			      const struct rg_node *node)
{
	struct rg_conf *conf = reader->conf;
	int err = rg_reader_by_type(reader, key, node, conf);

	if (err || !*conf->metrics_listen)
		return err;
	if (!has_port(conf->metrics_listen) ||
	    rg_value_parse_endpoint(conf->metrics_listen, &conf->metrics_address))
		return rg_reader_refuse(
			reader, node,
			"metrics_listen = \"%s\" is not ADDRESS:PORT, as in \"127.0.0.1:9125\", "
			"nor \"\"",
			conf->metrics_listen);
	return 0;
}
