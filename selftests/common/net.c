// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/ip_icmp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"
#include "pci.h"
#include "util.h"

#define PING_MAX	1400
#define PING_TRIES	3
#define REPLY_MS	1000
#define LINK_MS		20000
#define LOST_MS		20000	/* A reply that has not come by then does not come. */
#define TFTP_PORT	69
#define TFTP_BLOCK	1024
#define TFTP_TRIES	10

int net_find(const char *pci, char *name, size_t len, unsigned int timeout_ms)
{
	__u64 end = now_ms() + timeout_ms;
	struct dirent *entry;
	char path[128];
	DIR *dir;

	pci_path(path, sizeof(path), pci, "net");
	do {
		dir = opendir(path);
		while (dir && (entry = readdir(dir))) {
			if (entry->d_name[0] == '.')
				continue;
			snprintf(name, len, "%.15s", entry->d_name);
			closedir(dir);
			return 0;
		}
		if (dir)
			closedir(dir);
		sleep_ms(20);
	} while (now_ms() < end);
	return -ENODEV;
}

static int set_flags(int fd, const char *name, int set, int clear)
{
	struct ifreq req = { 0 };

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &req))
		return -errno;
	req.ifr_flags = (req.ifr_flags | set) & ~clear;
	return ioctl(fd, SIOCSIFFLAGS, &req) ? -errno : 0;
}

static int set_address(int fd, const char *name, unsigned long request, const char *address)
{
	struct ifreq req = { 0 };
	struct sockaddr_in *in = (void *)&req.ifr_addr;

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	in->sin_family = AF_INET;
	inet_pton(AF_INET, address, &in->sin_addr);
	return ioctl(fd, request, &req) ? -errno : 0;
}

int net_up(const char *name)
{
	int fd, ret;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	ret = set_address(fd, name, SIOCSIFADDR, NET_GUEST);
	if (!ret)
		ret = set_address(fd, name, SIOCSIFNETMASK, "255.255.255.0");
	if (!ret)
		ret = set_flags(fd, name, IFF_UP | IFF_RUNNING, 0);
	close(fd);
	return ret;
}

int net_down(const char *name)
{
	int fd, ret;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	ret = set_flags(fd, name, 0, IFF_UP);
	close(fd);
	return ret;
}

static int gateway_socket(int type, int protocol, int port, unsigned int timeout_ms)
{
	struct timeval timeout = { .tv_sec = timeout_ms / 1000 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd, err;

	fd = socket(AF_INET, type | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return -errno;
	inet_pton(AF_INET, NET_GATEWAY, &to.sin_addr);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    /* TFTP answers from a port of its own choice: no connect there. */
	    (type == SOCK_RAW && connect(fd, (void *)&to, sizeof(to)))) {
		err = errno;
		close(fd);
		return -err;
	}
	return fd;
}

static __u16 checksum(const void *data, size_t len)
{
	const __u8 *p = data;
	__u32 sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? p[i] << 8 : p[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Everybody who sends echoes hears all replies: who, and which one, is in the request. */
struct echo {
	int fd;
	__u16 id;
	__u16 sequence;
	__u8 packet[sizeof(struct icmphdr) + PING_MAX];
	size_t len;
};

static void make_echo(struct echo *echo, size_t len)
{
	struct icmphdr *icmp = (void *)echo->packet;

	memset(icmp, 0, sizeof(*icmp));
	icmp->type = ICMP_ECHO;
	icmp->un.echo.id = htons(echo->id);
	icmp->un.echo.sequence = htons(++echo->sequence);
	echo->len = sizeof(*icmp) + len;
	pattern_fill(icmp + 1, len, now_ms() * 65536 + echo->sequence);
	icmp->checksum = checksum(echo->packet, echo->len);
}

/* Waits for the reply to this request. 0: right; -EILSEQ: altered. */
static int await_reply(struct echo *echo, unsigned int timeout_ms)
{
	const struct icmphdr *request = (void *)echo->packet;
	__u64 end = now_ms() + timeout_ms;
	__u8 packet[2048];

	while (now_ms() < end) {
		ssize_t n = recv(echo->fd, packet, sizeof(packet), 0);
		size_t header = (packet[0] & 0xf) * 4;
		struct icmphdr *icmp = (void *)(packet + header);

		if (n < 0)
			return -errno;
		if ((size_t)n < header + sizeof(*icmp) || icmp->type != ICMP_ECHOREPLY ||
		    memcmp(&icmp->un.echo, &request->un.echo, sizeof(icmp->un.echo)))
			continue;
		if ((size_t)n != header + echo->len ||
		    memcmp(icmp + 1, request + 1, echo->len - sizeof(*icmp)))
			return -EILSEQ;
		return 0;
	}
	return -ETIMEDOUT;
}

static int echo_once(struct echo *echo, unsigned int timeout_ms)
{
	if (send(echo->fd, echo->packet, echo->len, 0) < 0)
		return -errno;
	return await_reply(echo, timeout_ms);
}

static int ping_once(struct echo *echo, size_t len)
{
	unsigned int tries;
	int ret = -EIO;

	make_echo(echo, len);
	for (tries = 0; ret && ret != -EILSEQ && tries < PING_TRIES; tries++)
		ret = echo_once(echo, REPLY_MS);
	return ret;
}

static size_t ping_len(unsigned int number)
{
	return 8 + number * 97 % (PING_MAX - 8);
}

int net_ping(unsigned int count, __u64 *bytes)
{
	struct echo echo = { .fd = gateway_socket(SOCK_RAW, IPPROTO_ICMP, 0, REPLY_MS) };
	unsigned int i, good = 0;
	int ret = 0;

	if (echo.fd < 0)
		return echo.fd;
	for (i = 0; i < count && ret != -EILSEQ; i++) {
		ret = ping_once(&echo, ping_len(i));
		if (ret)
			continue;
		good++;
		*bytes += 2 * ping_len(i);
	}
	close(echo.fd);
	return ret == -EILSEQ ? ret : (int)good;
}

struct net_load_handle {
	struct net_load *load;
	__u16 ids;
	pthread_t threads[];
};

static int echo_until_stop(struct net_load *load, struct echo *echo)
{
	unsigned int number;
	int ret = 0;

	for (number = 0; !ret && !__atomic_load_n(&load->stop, __ATOMIC_RELAXED); number++) {
		size_t len = ping_len(number);

		make_echo(echo, len);
		ret = echo_once(echo, LOST_MS);
		if (ret)
			break;
		__atomic_fetch_add(&load->echoes, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&load->bytes, 2 * len, __ATOMIC_RELAXED);
	}
	return ret;
}

static void *echo_main(void *arg)
{
	struct net_load_handle *handle = arg;
	struct echo echo = { .fd = gateway_socket(SOCK_RAW, IPPROTO_ICMP, 0, LOST_MS),
			     .id = __atomic_add_fetch(&handle->ids, 1, __ATOMIC_RELAXED) };
	int ret = echo.fd < 0 ? echo.fd : echo_until_stop(handle->load, &echo);

	if (ret)
		__atomic_store_n(&handle->load->error, ret, __ATOMIC_RELAXED);
	if (echo.fd >= 0)
		close(echo.fd);
	return NULL;
}

struct net_load_handle *net_load_start(struct net_load *load)
{
	struct net_load_handle *handle;
	__u64 end = now_ms() + LINK_MS, bytes = 0;
	unsigned int i;

	/* A link that has just come up drops what is sent. */
	while (net_ping(1, &bytes) != 1) {
		if (now_ms() > end)
			return NULL;
	}
	handle = malloc(sizeof(*handle) + load->threads * sizeof(handle->threads[0]));
	if (!handle)
		return NULL;
	load->stop = 0;
	load->echoes = 0;
	load->bytes = 0;
	load->error = 0;
	handle->load = load;
	handle->ids = 0;
	for (i = 0; i < load->threads; i++)
		pthread_create(&handle->threads[i], NULL, echo_main, handle);
	return handle;
}

int net_load_finish(struct net_load_handle *handle)
{
	unsigned int i;
	int ret;

	__atomic_store_n(&handle->load->stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < handle->load->threads; i++)
		pthread_join(handle->threads[i], NULL);
	ret = handle->load->error;
	free(handle);
	return ret;
}

struct tftp {
	int fd;
	int out;
	struct sockaddr_in peer;
	__u8 packet[4 + 65536];
	size_t packet_len;
};

static size_t put_string(__u8 *at, const char *text)
{
	size_t len = strlen(text) + 1;

	memcpy(at, text, len);
	return len;
}

/* A read request with a block size; the server may refuse to hear of that. */
static void make_request(struct tftp *tftp, const char *remote)
{
	__u8 *p = tftp->packet;
	char size[16];

	snprintf(size, sizeof(size), "%u", TFTP_BLOCK);
	*p++ = 0;
	*p++ = 1;
	p += put_string(p, remote);
	p += put_string(p, "octet");
	p += put_string(p, "blksize");
	p += put_string(p, size);
	tftp->packet_len = p - tftp->packet;
}

static void make_ack(struct tftp *tftp, __u16 block)
{
	const __u8 ack[] = { 0, 4, block >> 8, block & 0xff };

	memcpy(tftp->packet, ack, sizeof(ack));
	tftp->packet_len = sizeof(ack);
}

/* Sends the last packet again until an answer comes. */
static ssize_t exchange(struct tftp *tftp, __u8 *reply, size_t len)
{
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	unsigned int tries;
	ssize_t n;

	for (tries = 0; tries < TFTP_TRIES; tries++) {
		if (sendto(tftp->fd, tftp->packet, tftp->packet_len, 0,
			   (void *)&tftp->peer, sizeof(tftp->peer)) < 0)
			return -errno;
		n = recvfrom(tftp->fd, reply, len, 0, (void *)&from, &from_len);
		if (n < 4)
			continue;
		tftp->peer = from;
		return n;
	}
	return -ETIMEDOUT;
}

static long long fetch(struct tftp *tftp)
{
	static __u8 reply[4 + 65536];
	size_t block_size = 512;
	__u16 block = 0;
	long long total = 0;
	ssize_t n;

	for (;;) {
		n = exchange(tftp, reply, sizeof(reply));
		if (n < 0)
			return n;
		if (reply[1] == 5)
			return -EREMOTEIO;
		if (reply[1] == 6) {
			block_size = TFTP_BLOCK;
			make_ack(tftp, 0);
			continue;
		}
		/* A repeated block is answered again and otherwise ignored. */
		if (reply[1] == 3 && (reply[2] << 8 | reply[3]) == (__u16)(block + 1)) {
			block++;
			if (write(tftp->out, reply + 4, n - 4) != n - 4)
				return -EIO;
			total += n - 4;
			make_ack(tftp, block);
			if ((size_t)n - 4 < block_size)
				break;
		}
	}
	sendto(tftp->fd, tftp->packet, tftp->packet_len, 0, (void *)&tftp->peer,
	       sizeof(tftp->peer));
	return total;
}

long long net_tftp(const char *remote, const char *local)
{
	struct tftp tftp = { .peer = { .sin_family = AF_INET, .sin_port = htons(TFTP_PORT) } };
	long long ret;

	inet_pton(AF_INET, NET_GATEWAY, &tftp.peer.sin_addr);
	tftp.out = open(local, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (tftp.out < 0)
		return -errno;
	tftp.fd = gateway_socket(SOCK_DGRAM, 0, TFTP_PORT, REPLY_MS);
	if (tftp.fd < 0) {
		close(tftp.out);
		return tftp.fd;
	}
	make_request(&tftp, remote);
	ret = fetch(&tftp);
	close(tftp.fd);
	close(tftp.out);
	return ret;
}
