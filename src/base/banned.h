/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/banned.h: included last by every .c file; makes functions that cannot be used safely fail to compile.
 *
 * Where a third-party header needs one of them it is included before this file.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H
#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef strtok
#undef gets
#undef alloca
#undef strdupa
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets atoi atol atoll atof
#pragma GCC poison gmtime localtime ctime asctime mktemp tmpnam alloca strdupa
#endif
