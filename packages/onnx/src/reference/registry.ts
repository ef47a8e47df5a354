import * as activations from './activations.js';
import * as convolution from './convolution.js';
import * as creation from './creation.js';
import * as elementwise from './elementwise.js';
import * as linear from './linear.js';
import * as normalization from './normalization.js';
import type { Operator } from './operator.js';
import * as pooling from './pooling.js';
import * as reduction from './reduction.js';
import * as resizing from './resizing.js';
import * as scattering from './scattering.js';
import * as shaping from './shaping.js';
import * as slicing from './slicing.js';
import * as softmax from './softmax.js';

const { unary } = elementwise;

/** The operators of ONNX's own domain. */
export const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ['Conv', convolution.conv],
  ['ConvTranspose', convolution.convTranspose],
  ['Gemm', linear.gemm],
  ['MatMul', linear.matMul],
  ['MaxPool', pooling.maxPool],
  ['AveragePool', pooling.averagePool],
  ['GlobalAveragePool', pooling.globalAveragePool],
  ['GlobalMaxPool', pooling.globalMaxPool],
  ['MaxUnpool', pooling.maxUnpool],

  ['Add', elementwise.add],
  ['Sub', elementwise.sub],
  ['Mul', elementwise.mul],
  ['Div', elementwise.div],
  ['Pow', elementwise.pow],
  ['Mod', elementwise.mod],
  ['Max', elementwise.max],
  ['Min', elementwise.min],
  ['Sum', elementwise.sum],
  ['Mean', elementwise.mean],
  ['Equal', elementwise.equal],
  ['Greater', elementwise.greater],
  ['GreaterOrEqual', elementwise.greaterOrEqual],
  ['Less', elementwise.less],
  ['LessOrEqual', elementwise.lessOrEqual],
  ['And', elementwise.and],
  ['Or', elementwise.or],
  ['Xor', elementwise.xor],
  ['Not', elementwise.not],
  ['Where', elementwise.where],
  ['PRelu', elementwise.pRelu],
  ['IsNaN', elementwise.notANumber],
  ['Neg', unary((x) => -x)],
  ['Abs', unary(Math.abs)],
  ['Sqrt', unary(Math.sqrt)],
  ['Exp', unary(Math.exp)],
  ['Log', unary(Math.log)],
  ['Sin', unary(Math.sin)],
  ['Cos', unary(Math.cos)],
  ['Tanh', unary(Math.tanh)],
  ['Sign', unary(Math.sign)],
  ['Floor', unary(Math.floor)],
  ['Ceil', unary(Math.ceil)],
  ['Round', unary(elementwise.roundHalfEven)],
  ['Reciprocal', unary((x) => 1 / x)],

  ['Relu', activations.relu],
  ['LeakyRelu', activations.leakyRelu],
  ['ThresholdedRelu', activations.thresholdedRelu],
  ['Elu', activations.elu],
  ['Selu', activations.selu],
  ['Celu', activations.celu],
  ['Clip', activations.clip],
  ['Sigmoid', activations.sigmoid],
  ['HardSigmoid', activations.hardSigmoid],
  ['HardSwish', activations.hardSwish],
  ['Softplus', activations.softplus],
  ['Softsign', activations.softsign],
  ['Mish', activations.mish],
  ['Erf', activations.errorFunction],
  ['Gelu', activations.gelu],
  ['Softmax', softmax.softmax],
  ['LogSoftmax', softmax.logSoftmax],

  ['BatchNormalization', normalization.batchNormalization],
  ['InstanceNormalization', normalization.instanceNormalization],
  ['LayerNormalization', normalization.layerNormalization],
  ['LRN', normalization.localResponseNormalization],

  ['ReduceSum', reduction.reduceSum],
  ['ReduceMean', reduction.reduceMean],
  ['ReduceMax', reduction.reduceMax],
  ['ReduceMin', reduction.reduceMin],
  ['ReduceProd', reduction.reduceProd],
  ['ReduceL1', reduction.reduceL1],
  ['ReduceL2', reduction.reduceL2],
  ['ReduceSumSquare', reduction.reduceSumSquare],
  ['ReduceLogSum', reduction.reduceLogSum],
  ['ReduceLogSumExp', reduction.reduceLogSumExp],
  ['ArgMax', reduction.argMax],
  ['ArgMin', reduction.argMin],
  ['CumSum', reduction.cumSum],
  ['TopK', reduction.topK],

  ['Reshape', shaping.reshape],
  ['Flatten', shaping.flatten],
  ['Squeeze', shaping.squeeze],
  ['Unsqueeze', shaping.unsqueeze],
  ['Identity', shaping.identity],
  ['Transpose', shaping.transpose],
  ['Expand', shaping.expand],
  ['Concat', shaping.concat],
  ['DepthToSpace', shaping.depthToSpace],
  ['SpaceToDepth', shaping.spaceToDepth],

  ['Slice', slicing.slice],
  ['Split', slicing.split],
  ['Pad', slicing.pad],
  ['Tile', slicing.tile],
  ['Gather', slicing.gather],
  ['Trilu', slicing.trilu],
  ['OneHot', slicing.oneHot],
  ['GatherElements', scattering.gatherElements],
  ['GatherND', scattering.gatherND],
  ['Scatter', scattering.scatterElements],
  ['ScatterElements', scattering.scatterElements],
  ['ScatterND', scattering.scatterND],
  ['Resize', resizing.resize],
  ['Upsample', resizing.upsample],

  ['Constant', creation.constant],
  ['ConstantOfShape', creation.constantOfShape],
  ['Shape', creation.shape],
  ['Size', creation.size],
  ['Range', creation.range],
  ['Dropout', creation.dropout],
  ['Cast', creation.cast],
]);
