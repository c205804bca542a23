/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/gate_fields.h: our own fields (transaction_fields()), one by one for the protocols that name them one by one,
 * and with the line ends of the message for those that hand it back. Pure.
 */
#include "base/bytes.h"

struct buf;

/*
 * Takes the lowest field off the end of `*fields`, which are whole fields; false when none is left. From the lowest up,
 * since each is inserted on top of those before it. The value is without the blank behind the colon and without its
 * last line end; its folds stay.
 */
bool fields_take_last(struct bytes *fields, struct bytes *ret_name, struct bytes *ret_value);

/* The line ends of the message are CRLF: that of its first line tells. */
bool fields_want_crlf(struct bytes message);

/* Adds text whose line ends are CRLF; of those the LF alone where they are not wanted. */
void fields_add_lines(struct buf *buf, struct bytes text, bool crlf);
