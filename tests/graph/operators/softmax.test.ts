import { describeGradients } from '../../support/finite-differences.ts';
import { softmaxCases } from './cases/softmax.ts';

describeGradients('softmax', softmaxCases);
