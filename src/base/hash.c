/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include "base/banned.h"

static inline uint64_t rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_round(s);
	sip_round(s);
	s->v0 ^= m;
}

static inline uint64_t le64(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	for (size_t i = n; i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

uint64_t hash_sip(struct hash_key key, struct bytes b)
{
	struct sip s = {key.k0 ^ 0x736f6d6570736575u, key.k1 ^ 0x646f72616e646f6du, key.k0 ^ 0x6c7967656e657261u,
			key.k1 ^ 0x7465646279746573u};
	size_t at = 0;
	for (; at + 8 <= b.len; at += 8)
		sip_word(&s, le64(b.ptr + at, 8));
	sip_word(&s, (uint64_t)(b.len & 0xff) << 56 | (at < b.len ? le64(b.ptr + at, b.len - at) : 0));
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint32_t hash_crc32(uint32_t crc, struct bytes b)
{
	/* The remainders of a nibble: 64 bytes of table. */
	static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
					   0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
					   0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
	crc = ~crc;
	for (size_t i = 0; i < b.len; i++) {
		crc = table[(crc ^ b.ptr[i]) & 15] ^ crc >> 4;
		crc = table[(crc ^ (uint32_t)(b.ptr[i] >> 4)) & 15] ^ crc >> 4;
	}
	return ~crc;
}
