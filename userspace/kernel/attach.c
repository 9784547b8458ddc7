/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/attach.h"

#include "base/log.h"
#include "kernel/dispatcher.h"
#include "kernel/loader_private.h"
#include "kernel/obstacle.h"

#include "maps/pin.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/stat.h>

#define STEER_PIN "steer_link" /* of the network namespace */

static uint32_t program_id(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len) ? 0 : info.id;
}

/* The link that an earlier agent left for this very interface, or -1. */
static int adopt_link(const struct rg_loader *loader, const char *name, unsigned int ifindex)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	char pin[RG_PIN_NAME];
	int fd = rg_pin_get(loader->pin_path, rg_pin_link_name(name, pin));

	if (fd < 0)
		return -1;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.type == BPF_LINK_TYPE_XDP &&
	    info.xdp.ifindex == ifindex)
		return fd;
	close(fd); /* its interface is gone */
	(void)rg_pin_remove(loader->pin_path, pin);
	return -1;
}

static bool is_attached_as(unsigned int ifindex, enum rg_xdp_mode mode)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);

	if (bpf_xdp_query((int)ifindex, 0, &opts))
		return false;
	return opts.attach_mode == (mode == RG_XDP_NATIVE ? XDP_ATTACHED_DRV : XDP_ATTACHED_SKB);
}

/* 0: at->link is a link in this mode with this program; or -errno. */
static int attach_program(struct rg_loader *loader, struct rg_loader_interface *at,
			  enum rg_xdp_mode mode, struct bpf_program *program)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = mode == RG_XDP_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	char pin[RG_PIN_NAME];
	int fd, err;

	if (bpf_program__fd(program) < 0)
		return -EOPNOTSUPP;
	if (at->link >= 0 && is_attached_as(at->info.ifindex, mode))
		return bpf_link_update(at->link, bpf_program__fd(program), NULL) ? -errno : 0;
	if (at->link >= 0) {
		/* The kernel does not allow both modes at once, so a change of mode leaves a gap. */
		rg_log_warning("%s: changes its XDP mode, unfiltered for a moment", at->info.name);
		(void)bpf_link_detach(at->link);
		close(at->link);
		at->link = -1;
	}
	fd = bpf_link_create(bpf_program__fd(program), (int)at->info.ifindex, BPF_XDP, &opts);
	if (fd < 0)
		return -errno;
	err = rg_pin_put(loader->pin_path, rg_pin_link_name(at->info.name, pin), fd);
	if (err) {
		/* Without its pin it would be gone with this process, and the next agent would not find it. */
		(void)bpf_link_detach(fd);
		close(fd);
		return err;
	}
	at->link = fd;
	return 0;
}

static int attach_in_mode(struct rg_loader *loader, struct rg_loader_interface *at,
			  enum rg_xdp_mode mode)
{
	bool ip = at->info.link_kind == RG_LINK_KIND_IP;
	struct bpf_program *frags = ip ? loader->skeleton->progs.filter_ip_frags :
					 loader->skeleton->progs.filter_frags;
	struct bpf_program *plain = ip ? loader->skeleton->progs.filter_ip :
					 loader->skeleton->progs.filter;
	struct bpf_program *used = frags;
	int err = attach_program(loader, at, mode, frags);

	if (err && err != -EBUSY && err != -EEXIST) {
		used = plain;
		err = attach_program(loader, at, mode, plain);
	}
	if (err)
		return err;
	at->info.mode = mode;
	at->info.frags = used == frags;
	at->info.program = program_id(used);
	return 0;
}

/* Another program is on the interface, alone or in libxdp's dispatcher: the error names it. */
static int complain_busy(const struct rg_loader_interface *at, struct rg_error *error)
{
	char names[256];
	__u32 id = 0;

	rg_dispatcher_names((int)at->info.ifindex, names, sizeof(names));
	/* Without CAP_SYS_ADMIN names can't be read; the id can. */
	if (!*names && !bpf_xdp_query_id((int)at->info.ifindex, 0, &id))
		snprintf(names, sizeof(names), "id %u", id);
	return rg_fail(error, -EBUSY,
		       "interface %s has an XDP program already: %s; remove it first (xdp-loader status, "
		       "ip link set %s xdp off)",
		       at->info.name, *names ? names : "unknown", at->info.name);
}

/* With xdp_mode = "auto", an interface in generic mode stays there: trying native mode leaves a gap. */
static enum rg_xdp_mode first_mode(const struct rg_loader *loader,
				   const struct rg_loader_interface *at)
{
	if (loader->xdp_mode == RG_XDP_GENERIC || (loader->xdp_mode == RG_XDP_AUTO && at->link >= 0 &&
						   is_attached_as(at->info.ifindex, RG_XDP_GENERIC)))
		return RG_XDP_GENERIC;
	return RG_XDP_NATIVE;
}

/* libxdp's pins hold the program in its dispatcher; there is no link of ours. */
static int dispatch_in_mode(struct rg_loader *loader, struct rg_loader_interface *at,
			    enum rg_xdp_mode mode)
{
	struct rg_dispatched what = {
		.loaded = loader->skeleton->obj,
		.can_hold = loader->can_hold,
		.begins_with_ip = at->info.link_kind == RG_LINK_KIND_IP,
		.map_ids = { rg_loader_map_id(bpf_map__fd(loader->skeleton->maps.settings)),
			     loader->old_settings }
	};
	int err;

	what.elf = filter_bpf__elf_bytes(&what.elf_size);
	err = rg_dispatcher_attach(&what, (int)at->info.ifindex, mode == RG_XDP_NATIVE,
				   &at->info.program, &at->info.frags);
	if (!err)
		at->info.mode = mode;
	return err;
}

static int dispatch_interface(struct rg_loader *loader, struct rg_loader_interface *at,
			      struct rg_error *error)
{
	int err = dispatch_in_mode(
		loader, at, loader->xdp_mode == RG_XDP_GENERIC ? RG_XDP_GENERIC : RG_XDP_NATIVE);

	if (err && err != -EOPNOTSUPP && loader->xdp_mode == RG_XDP_AUTO)
		err = dispatch_in_mode(loader, at, RG_XDP_GENERIC);
	if (err)
		return rg_fail(error, err, "interface %s: libxdp's dispatcher: %s%s", at->info.name,
			       strerror(-err),
			       err == -EOPNOTSUPP ? "; this kernel can't replace BPF functions, use "
						    "xdp_attach = \"link\"" :
			       err == -EPERM	  ? "; CAP_SYS_ADMIN is needed" :
			       err == -EINVAL	  ? "; libxdp 1.3 can't do it on new kernels "
						    "(docs/platforms.md), use xdp_attach = \"link\"" :
						    "");
	return 0;
}

/* The interface of the link that an earlier agent left for this name; 0: none. */
static unsigned int linked_interface(const struct rg_loader *loader, const char *name)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	char pin[RG_PIN_NAME];
	RG_CLEANUP_CLOSE int fd = rg_pin_get(loader->pin_path, rg_pin_link_name(name, pin));

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || info.type != BPF_LINK_TYPE_XDP)
		return 0;
	return info.xdp.ifindex;
}

/* The interface that the configuration means: by its name, else the one that had the name before. 0: none. */
static unsigned int find_interface(const struct rg_loader *loader,
				   const struct rg_loader_interface *at)
{
	unsigned int ifindex = if_nametoindex(at->info.name);
	char name[IF_NAMESIZE];

	if (ifindex)
		return ifindex;
	ifindex = at->info.ifindex ? at->info.ifindex : linked_interface(loader, at->info.name);
	return ifindex && if_indextoname(ifindex, name) ? ifindex : 0;
}

static void note_present_name(struct rg_loader_interface *at)
{
	char before[IF_NAMESIZE];

	strcpy(before, *at->info.present_name ? at->info.present_name : at->info.name);
	if (!if_indextoname(at->info.ifindex, at->info.present_name) ||
	    !strcmp(before, at->info.present_name))
		return;
	if (strcmp(at->info.name, at->info.present_name) != 0)
		rg_log_warning("interface %s is called %s now, and is still filtered; name it so in "
			       "`interfaces`",
			       at->info.name, at->info.present_name);
	else
		rg_log_info("interface %s has its name again", at->info.name);
}

/* What the frames begin with decides which program is attached. */
static int find_link_kind(const struct rg_loader *loader, struct rg_loader_interface *at,
			  struct rg_error *error)
{
	char name[IF_NAMESIZE];
	unsigned int type = 0;
	int err = -ENODEV;

	if (if_indextoname(at->info.ifindex, name))
		err = rg_link_kind_of(name, &type, &at->info.link_kind);
	if (err == -EPROTONOSUPPORT)
		return rg_fail(
			error, err,
			"interface %s: links of hardware type %u can't be filtered: repgate parses "
			"Ethernet, and links that begin with an IP header (docs/platforms.md)",
			at->info.name, type);
	if (err == -EMEDIUMTYPE)
		return rg_fail(error, err,
			       "interface %s: tunnels of this kind can't be filtered: the kernel shows their "
			       "packets behind a header of the outer packet (docs/platforms.md)",
			       at->info.name);
	if (err)
		return rg_fail(error, err, "interface %s: %s", at->info.name, strerror(-err));
	if (bpf_program__fd(at->info.link_kind == RG_LINK_KIND_IP ?
				    loader->skeleton->progs.filter_ip :
				    loader->skeleton->progs.filter) < 0)
		return rg_fail(error, -EOPNOTSUPP,
			       "interface %s: its frames begin with another header than at the start of "
			       "repgated; restart it",
			       at->info.name);
	return 0;
}

/* What to do about an interface that refuses the program. */
static const char *hint_of(const struct rg_loader *loader, int err, char advice[RG_OBSTACLE_TEXT])
{
	if (err == -EPERM || err == -EMFILE || err == -ENFILE)
		return rg_obstacle_advice(err, advice);
	return loader->xdp_mode == RG_XDP_NATIVE ? "; xdp_mode = \"auto\" allows generic mode" : "";
}

static int attach_interface(struct rg_loader *loader, struct rg_loader_interface *at,
			    struct rg_error *error)
{
	char advice[RG_OBSTACLE_TEXT];
	int err;

	at->info.ifindex = find_interface(loader, at);
	if (!at->info.ifindex)
		return rg_fail(error, -ENODEV, "interface %s: %s", at->info.name, strerror(ENODEV));
	err = find_link_kind(loader, at, error);
	if (err)
		return err;
	if (loader->xdp_attach == RG_ATTACH_DISPATCHER)
		return dispatch_interface(loader, at, error);
	at->link = adopt_link(loader, at->info.name, at->info.ifindex);
	err = attach_in_mode(loader, at, first_mode(loader, at));
	if (err == -EBUSY || err == -EEXIST)
		return complain_busy(at, error);
	if (err && loader->xdp_mode == RG_XDP_AUTO) {
		rg_log_warning("interface %s refuses native XDP (%s): generic mode, which is slower",
			       at->info.name, strerror(-err));
		err = attach_in_mode(loader, at, RG_XDP_GENERIC);
	}
	if (err)
		return rg_fail(error, err, "interface %s refuses %s XDP: %s%s", at->info.name,
			       loader->xdp_mode == RG_XDP_GENERIC ? "generic" : "native",
			       strerror(-err), hint_of(loader, err, advice));
	return 0;
}

/* name: the pin of a link. Detaches it if its interface is not in the configuration. */
static void detach_other(void *arg, const char *name)
{
	struct rg_loader *loader = arg;
	char pin[RG_PIN_NAME];
	int fd;

	for (unsigned int i = 0; i < loader->interface_count; i++)
		if (!strcmp(rg_pin_link_name(loader->interfaces[i].info.name, pin), name))
			return;
	fd = rg_pin_get(loader->pin_path, name);
	if (fd >= 0) {
		(void)bpf_link_detach(fd);
		close(fd);
	}
	(void)rg_pin_remove(loader->pin_path, name);
	rg_log_info("%s: not in the configuration any more, detached", name + strlen(RG_LINK_PREFIX));
}

/* The link that an earlier agent left for this very network namespace, or -1. */
static int adopt_steer_link(const struct rg_loader *loader, int netns)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	struct stat st;
	int fd = rg_pin_get(loader->pin_path, STEER_PIN);

	if (fd < 0)
		return -1;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.type == BPF_LINK_TYPE_NETNS &&
	    !fstat(netns, &st) && info.netns.netns_ino == st.st_ino)
		return fd;
	(void)bpf_link_detach(fd);
	close(fd);
	(void)rg_pin_remove(loader->pin_path, STEER_PIN);
	return -1;
}

int rg_attach_steering(struct rg_loader *loader)
{
	RG_CLEANUP_CLOSE int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int program = bpf_program__fd(loader->skeleton->progs.steer);

	if (netns < 0)
		return -errno;
	loader->steer_link = adopt_steer_link(loader, netns);
	if (loader->steer_link >= 0)
		return bpf_link_update(loader->steer_link, program, NULL) ? -errno : 0;
	loader->steer_link = bpf_link_create(program, netns, BPF_SK_LOOKUP, NULL);
	if (loader->steer_link < 0) {
		loader->steer_link = -1;
		return -errno;
	}
	return rg_pin_put(loader->pin_path, STEER_PIN, loader->steer_link);
}

static void note_missing(struct rg_loader_interface *at, const char *why)
{
	if (at->info.ifindex || strcmp(at->info.reason, why) != 0)
		rg_log_warning("interface %s: not filtered: %s", at->info.name, why);
	if (at->info.ifindex || !*at->info.reason)
		at->info.since = rg_now();
	snprintf(at->info.reason, sizeof(at->info.reason), "%s", why);
	at->info.ifindex = 0;
	*at->info.present_name = '\0';
}

/* What stands in the log and in `status` if there is no such interface. */
#define NOT_THERE "it is not there"

int rg_attach_all(struct rg_loader *loader, struct rg_error *error)
{
	unsigned int attached = 0;
	int first = 0;

	for (unsigned int i = 0; i < loader->interface_count; i++) {
		struct rg_loader_interface *at = &loader->interfaces[i];
		struct rg_error why;
		int err = attach_interface(loader, at, &why);

		if (err) {
			note_missing(at, err == -ENODEV ? NOT_THERE : why.text);
			if (!first)
				first = rg_fail(error, err, "%s", why.text);
			continue;
		}
		attached++;
		at->info.since = rg_now();
		note_present_name(at);
		rg_log_info("interface %s: filtering in %s mode", at->info.name,
			    at->info.mode == RG_XDP_NATIVE ? "native" : "generic");
	}
	if (first && !attached)
		return first;
	rg_pin_each(loader->pin_path, RG_LINK_PREFIX, detach_other, loader);
	return 0;
}

/* Two interfaces of the configuration may have exchanged their names: both stay filtered. */
static bool has_interface(const struct rg_loader *loader, unsigned int ifindex)
{
	for (unsigned int i = 0; i < loader->interface_count; i++)
		if (loader->interfaces[i].info.ifindex == ifindex)
			return true;
	return false;
}

/* Whether our program is on the interface that the configuration means. */
static bool is_attached(const struct rg_loader *loader, const struct rg_loader_interface *at)
{
	struct bpf_link_info info = {};
	const uint32_t ids[2] = { rg_loader_map_id(bpf_map__fd(loader->skeleton->maps.settings)) };
	unsigned int meant = find_interface(loader, at);
	__u32 len = sizeof(info);

	if (!at->info.ifindex || (meant != at->info.ifindex && !has_interface(loader, meant)))
		return false;
	if (loader->xdp_attach == RG_ATTACH_DISPATCHER)
		return rg_dispatcher_has(ids, (int)at->info.ifindex);
	return !bpf_obj_get_info_by_fd(at->link, &info, &len) && info.xdp.ifindex == at->info.ifindex;
}

void rg_attach_refresh(struct rg_loader *loader)
{
	for (unsigned int i = 0; i < loader->interface_count; i++) {
		struct rg_loader_interface *at = &loader->interfaces[i];
		struct rg_error error;

		if (is_attached(loader, at)) {
			note_present_name(at);
			continue;
		}
		rg_closep(&at->link);
		at->link = -1;
		(void)rg_loader_restore_pins(loader); /* attaching reports an error */
		if (!find_interface(loader, at)) {
			note_missing(at, NOT_THERE);
		} else if (attach_interface(loader, at, &error)) {
			note_missing(at, error.text);
		} else {
			*at->info.reason = '\0';
			at->info.since = rg_now();
			note_present_name(at);
			rg_log_info("interface %s: filtering again in %s mode", at->info.name,
				    at->info.mode == RG_XDP_NATIVE ? "native" : "generic");
		}
	}
}

void rg_attach_detach_all(struct rg_loader *loader)
{
	const uint32_t ids[2] = { rg_loader_map_id(bpf_map__fd(loader->skeleton->maps.settings)),
				  loader->old_settings };
	int err;

	for (unsigned int i = 0; i < loader->interface_count; i++) {
		struct rg_loader_interface *at = &loader->interfaces[i];

		if (loader->xdp_attach == RG_ATTACH_DISPATCHER && at->info.ifindex &&
		    rg_dispatcher_detach(ids, (int)at->info.ifindex, 0))
			rg_log_warning("interface %s: not taken out of libxdp's dispatcher",
				       at->info.name);
		if (at->link >= 0) {
			(void)bpf_link_detach(at->link);
			close(at->link);
			at->link = -1;
		}
		at->info.ifindex = 0;
	}
	/* After the interfaces: until then, SYNs that pass as tempfail must reach the responder. */
	if (loader->steer_link >= 0)
		(void)bpf_link_detach(loader->steer_link);
	err = rg_pin_remove_all(loader->pin_path);
	if (err)
		rg_log_warning("%s: %s", loader->pin_path, strerror(-err));
}

const struct rg_attachment *rg_attach_info(const struct rg_loader *loader, unsigned int index)
{
	return index < loader->interface_count ? &loader->interfaces[index].info : NULL;
}
