/* The whole C interface of unitscope's kernels. */
#ifndef UNITSCOPE_UNITSCOPE_H
#define UNITSCOPE_UNITSCOPE_H

#include "unitscope/backend.h"
#include "unitscope/execution.h"
#include "unitscope/iou_counts.h"
#include "unitscope/mask_backward.h"
#include "unitscope/mask_forward.h"
#include "unitscope/max_pool.h"
#include "unitscope/max_pool_backward.h"
#include "unitscope/mi_gradient.h"
#include "unitscope/mi_loss.h"
#include "unitscope/mutual_information.h"
#include "unitscope/pool2d.h"
#include "unitscope/signal_rule.h"
#include "unitscope/status.h"
#include "unitscope/template_mask.h"
#include "unitscope/template_scores.h"
#include "unitscope/top_quantile.h"
#include "unitscope/unpool.h"
#include "unitscope/argmax_maps.h"
#include "unitscope/cosine_similarity.h"
#include "unitscope/map_moments.h"
#include "unitscope/maps.h"
#include "unitscope/matmul.h"
#include "unitscope/graph_em_step.h"
#include "unitscope/sgd_step.h"
#include "unitscope/adam_step.h"
#include "unitscope/lasso.h"

#endif
