/*
** outside.c: what other shared objects find of this one.
*/
#include "base/prefix.h"

#include "object/face.h"
#include "op/outside.h"
#include "op/run.h"

const bs_outside bs_outsidetable = {
  .version = BS_VERSION,
  .checkface = bs_checkface,
  .settransport = bs_settransport,
  .taketransport = bs_taketransport,
  .run = bs_run,
  .failop = bs_failop,
};
